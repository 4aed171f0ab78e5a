{# Which rows a data test looks at. #}

{#
    What stands for the model in a generic test, overriding dbt's own macro. A test that runs in a build
    looks at the rows which that build touched; all others were looked at when they were touched. In
    `dbt test`, and in a build that makes everything again, it looks at the whole table.
    A `where` of the test's own is honoured, as dbt does.
#}
{% macro get_where_subquery(relation) -%}
    {%- set conditions = [config.get('where'), condition_of_touched_rows(relation)] | select | list -%}
    {%- if not conditions -%}
        {{ return(relation) }}
    {%- endif -%}
    {{ return('(select * from ' ~ relation ~ ' where (' ~ conditions | join(') and (') ~ ')) as tested_rows') }}
{%- endmacro %}

{# The condition on a row, or none for the whole table: by `meta.touched` of the model under test. #}
{% macro condition_of_touched_rows(relation) -%}
    {%- if not execute or flags.WHICH != 'build' or not model.attached_node -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set touched = graph.nodes[model.attached_node].config.get('meta', {}).get('touched') -%}
    {%- if not touched or flags.FULL_REFRESH or batch_is_rebuild() -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set listed = [] -%}
    {%- for name, keys in touched.items() -%}
        {%- do listed.append(keys_are_in(keys, silver_relation(name))) -%}
    {%- endfor -%}
    {%- set is_touched = listed | join(' or ') -%}
    {%- set unique_columns = columns_that_must_be_unique() -%}
    {%- if unique_columns -%}
        {# A row that was not touched may have the key of one that was. #}
        {{ return(keys_are_in(unique_columns, relation ~ ' where ' ~ is_touched)) }}
    {%- endif -%}
    {{ return(is_touched) }}
{%- endmacro %}

{# The columns of the key that this test is about; nothing for a test of rows. #}
{% macro columns_that_must_be_unique() -%}
    {%- set test = model.test_metadata -%}
    {%- if test.name == 'unique' -%}
        {{ return([test.kwargs.column_name]) }}
    {%- elif test.name == 'unique_together' -%}
        {{ return(test.kwargs.columns) }}
    {%- endif -%}
    {{ return([]) }}
{%- endmacro %}
