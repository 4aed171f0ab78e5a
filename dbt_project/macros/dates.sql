{# Dates of the reporting calendar. Times are UTC without zone everywhere else. #}

{# The day of PROJECT_TIMEZONE that a UTC time falls in. #}
{% macro to_project_date(timestamp) -%}
    {%- if project_timezone() == 'UTC' -%}
        cast({{ timestamp }} as date)
    {%- else -%}
        {{ adapter.dispatch('to_project_date')(timestamp) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__to_project_date(timestamp) -%}
    cast({{ timestamp }} at time zone 'UTC' at time zone '{{ project_timezone() }}' as date)
{%- endmacro %}

{% macro snowflake__to_project_date(timestamp) -%}
    cast(convert_timezone('UTC', '{{ project_timezone() }}', {{ timestamp }}) as date)
{%- endmacro %}

{# The first day of the week (WEEK_START) that holds a date. #}
{% macro week_of(date) -%}
    {{ return(adapter.dispatch('week_of')(date)) }}
{%- endmacro %}

{% macro duckdb__week_of(date) -%}
    {%- if week_start() == 'monday' -%}
        cast(date_trunc('week', {{ date }}) as date)
    {%- else -%}
        cast(date_trunc('week', {{ date }} + interval 1 day) - interval 1 day as date)
    {%- endif -%}
{%- endmacro %}

{% macro snowflake__week_of(date) -%}
    {%- if week_start() == 'monday' -%}
        cast(dateadd(day, 1 - dayofweekiso({{ date }}), {{ date }}) as date)
    {%- else -%}
        cast(dateadd(day, -mod(dayofweekiso({{ date }}), 7), {{ date }}) as date)
    {%- endif -%}
{%- endmacro %}
