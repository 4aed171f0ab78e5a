{# What the gold models share: dates without gaps, periods, and differences of time. #}

{# Whole numbers from the first to the last, as a table with one column, `number`. #}
{% macro whole_numbers(first, last) -%}
    (
        values
        {%- for number in range(first, last + 1) %}
        ({{ number }}){{ ',' if not loop.last }}
        {%- endfor %}
    ) as whole_numbers (number)
{%- endmacro %}

{#
    Every date from `first_date` to `last_date` of a relation of one row, both included, in one column,
    `date_day`. Nothing when the two are NULL.
#}
{% macro each_date(relation) -%}
    {{ return(adapter.dispatch('each_date')(relation)) }}
{%- endmacro %}

{% macro duckdb__each_date(relation) -%}
    select cast(unnest(generate_series(first_date, last_date, interval 1 day)) as date) as date_day
    from {{ relation }}
{%- endmacro %}

{% macro snowflake__each_date(relation) -%}
    select cast(dateadd(day, cast(day_numbers.value as integer), {{ relation }}.first_date) as date) as date_day
    from
        {{ relation }},
        lateral flatten(
            input => array_generate_range(0, {{ relation }}.last_date - {{ relation }}.first_date + 1)
        ) as day_numbers
{%- endmacro %}

{# The first day of the day, week (WEEK_START) or month that holds a date. #}
{% macro period_of(period, date) -%}
    {%- if period == 'week' -%} {{ week_of(date) }}
    {%- elif period == 'month' -%} cast(date_trunc('month', {{ date }}) as date)
    {%- else -%} {{ date }}
    {%- endif -%}
{%- endmacro %}

{# The first day of the period that follows the one that begins on a date. #}
{% macro period_after(period, period_start) -%}
    {%- if period == 'month' -%} cast({{ dbt.dateadd('month', 1, period_start) }} as date)
    {%- else -%} {{ period_start }} + {{ 7 if period == 'week' else 1 }}
    {%- endif -%}
{%- endmacro %}

{#
    The number of the week or month in which a date lies, counted from the one of a start, which is 0. The
    calendar clock counts the weeks (WEEK_START) or months that begin in between, the rolling clock 7 or
    30 days from the start.
#}
{% macro period_number(period, clock, start, date) -%}
    {%- if clock == 'rolling' -%} cast(floor(({{ date }} - {{ start }}) / {{ 7 if period == 'week' else 30 }}) as bigint)
    {%- elif period == 'week' -%} cast(({{ week_of(date) }} - {{ week_of(start) }}) / 7 as bigint)
    {%- else -%} {{ dbt.datediff(start, date, 'month') }}
    {%- endif -%}
{%- endmacro %}

{#
    The number of a user's 24-hour day in which something happens, counted from the day of their start,
    which is 0. Both times count as the hour that they are in, as in Amplitude.
#}
{% macro rolling_day_number(start, time) -%}
    cast(floor({{ dbt.datediff(start, time, 'hour') }} / 24) as bigint)
{%- endmacro %}

{# Seconds from one time to another, to the microsecond. #}
{% macro seconds_between(start, time) -%}
    cast({{ dbt.datediff(start, time, 'microsecond') }} as double) / 1000000
{%- endmacro %}
