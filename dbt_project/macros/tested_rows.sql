{# The rows that a data test checks. #}

{#
    Override dbt's macro for the relation under a generic test. In a build, a test checks only the rows that the build
    touched; all other rows were checked when they were touched. In `dbt test` and in a rebuild it checks the whole
    table. The test's `where` setting applies, as in dbt.
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
    The rows that the build touched, according to `meta.touched` of the tested model, or none for the whole table. One
    select per relation in `meta.touched`: with `or` instead, an engine compares every row.
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
        {# An untouched row can have the same key as a touched row. #}
        {%- set has_key = keys_are_in(unique_columns, rows ~ ' as touched_rows') -%}
        {%- set rows = '(select * from ' ~ relation ~ ' where ' ~ has_key ~ ')' -%}
    {%- endif -%}
    {{ return(rows) }}
{%- endmacro %}

{# The key columns of a uniqueness test; empty for any other test. #}
{% macro columns_that_must_be_unique() -%}
    {%- set test = model.test_metadata -%}
    {%- if test.name == 'unique' -%}
        {{ return([test.kwargs.column_name]) }}
    {%- elif test.name == 'unique_together' -%}
        {{ return(test.kwargs.columns) }}
    {%- endif -%}
    {{ return([]) }}
{%- endmacro %}
