{# Which rows a data test looks at. #}

{#
    What stands for the model in a generic test, overriding dbt's own macro. A test that runs in a build
    looks at the rows which that build touched; all others were looked at when they were touched. In
    `dbt test`, and in a build that makes everything again, it looks at the whole table.
    A `where` of the test's own is honoured, as dbt does.
#}
{% macro get_where_subquery(relation) -%}
    {%- set rows = touched_rows(relation) or relation -%}
    {%- set where = config.get('where') -%}
    {%- if where -%}
        {%- set rows = '(select * from ' ~ rows ~ ' as touched_rows where ' ~ where ~ ')' -%}
    {%- endif -%}
    {{ return(rows ~ ' as tested_rows' if rows != relation else relation) }}
{%- endmacro %}

{#
    The rows that the build touched, by `meta.touched` of the model under test, or none for the whole table.
    There is a select for each way to touch one: with `or` between them, an engine compares every row.
#}
{% macro touched_rows(relation) -%}
    {%- if not execute or flags.WHICH != 'build' or not model.attached_node -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set touched = graph.nodes[model.attached_node].config.get('meta', {}).get('touched') -%}
    {%- if not touched or flags.FULL_REFRESH or batch_is_rebuild() -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set selects = [] -%}
    {%- for name, keys in touched.items() -%}
        {%- do selects.append('select * from ' ~ relation ~ ' where ' ~ keys_are_in(keys, silver_relation(name))) -%}
    {%- endfor -%}
    {%- set rows = '(' ~ selects | join(' union all ') ~ ')' -%}
    {%- set unique_columns = columns_that_must_be_unique() -%}
    {%- if unique_columns -%}
        {# A row that was not touched may have the key of one that was. #}
        {%- set has_key = keys_are_in(unique_columns, rows ~ ' as touched_rows') -%}
        {%- set rows = '(select * from ' ~ relation ~ ' where ' ~ has_key ~ ')' -%}
    {%- endif -%}
    {{ return(rows) }}
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
