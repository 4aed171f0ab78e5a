{# Dates of the reporting calendar. All times are UTC without zone. #}

{# The day in PROJECT_TIMEZONE of a UTC time. #}
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

{#
    A time of an exported event (UTC), or NULL if it is implausible: before `earliest_event_date`, or
    `latest_event_days` or more after its upload hour. Without this limit, two events dated 1000 and 2999 would
    expand each daily table to 730,485 rows.
#}
{% macro plausible_time(time) -%}
    case
        when
            {{ time }} >= timestamp '{{ var("earliest_event_date") }} 00:00:00'
            and {{ time }} < export_hour + interval '{{ var("latest_event_days") }} days'
            then {{ time }}
    end
{%- endmacro %}

{# The first day of the week (WEEK_START) that contains a date. #}
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
