{# Shared by the gold models: dates without gaps, periods, and time differences. #}

{# The whole numbers from `first` to `last`, as a table with one column, `number`. #}
{% macro whole_numbers(first, last) -%}
    (
        values
        {%- for number in range(first, last + 1) %}
        ({{ number }}){{ ',' if not loop.last }}
        {%- endfor %}
    ) as whole_numbers (number)
{%- endmacro %}

{#
    Every date from `first_date` to `last_date` of each project in a relation, both inclusive: one row per project
    and `date_day`. No rows if the two are NULL.
#}
{% macro each_date(relation) -%}
    {{ return(adapter.dispatch('each_date')(relation)) }}
{%- endmacro %}

{% macro duckdb__each_date(relation) -%}
    select
        project_id,
        cast(unnest(generate_series(first_date, last_date, interval 1 day)) as date) as date_day
    from {{ relation }}
{%- endmacro %}

{% macro snowflake__each_date(relation) -%}
    select
        {{ relation }}.project_id,
        cast(dateadd(day, cast(day_numbers.value as integer), {{ relation }}.first_date) as date) as date_day
    from
        {{ relation }},
        lateral flatten(
            input => array_generate_range(0, {{ relation }}.last_date - {{ relation }}.first_date + 1)
        ) as day_numbers
{%- endmacro %}

{# The first day of the day, week (WEEK_START) or month that contains a date. #}
{% macro period_of(period, date) -%}
    {%- if period == 'week' -%} {{ week_of(date) }}
    {%- elif period == 'month' -%} cast(date_trunc('month', {{ date }}) as date)
    {%- else -%} {{ date }}
    {%- endif -%}
{%- endmacro %}

{# The first day of the period after the one that starts on `period_start`. #}
{% macro period_after(period, period_start) -%}
    {%- if period == 'month' -%} cast({{ dbt.dateadd('month', 1, period_start) }} as date)
    {%- else -%} {{ period_start }} + {{ 7 if period == 'week' else 1 }}
    {%- endif -%}
{%- endmacro %}

{#
    The number of the week or month that contains a date, counted from the one that contains `start`, which is 0.
    The calendar clock counts the weeks (WEEK_START) or months that start in between, the rolling clock 7 or 30 days
    from the start.
#}
{% macro period_number(period, clock, start, date) -%}
    {%- if clock == 'rolling' -%} cast(floor(({{ date }} - {{ start }}) / {{ 7 if period == 'week' else 30 }}) as bigint)
    {%- elif period == 'week' -%} cast(({{ week_of(date) }} - {{ week_of(start) }}) / 7 as bigint)
    {%- else -%} {{ dbt.datediff(start, date, 'month') }}
    {%- endif -%}
{%- endmacro %}

{#
    The number of the 24-hour day that contains `time`, counted from the one that begins at `start`, which is 0. Both
    times are rounded down to the hour, as in Amplitude.
#}
{% macro rolling_day_number(start, time) -%}
    cast(floor({{ dbt.datediff(start, time, 'hour') }} / 24) as bigint)
{%- endmacro %}

{# Seconds from one time to another, with microsecond precision. #}
{% macro seconds_between(start, time) -%}
    cast({{ dbt.datediff(start, time, 'microsecond') }} as double) / 1000000
{%- endmacro %}

{#
    The number of steps of the longest funnel in the seed `funnels`, for which fct_funnel_steps generates its SQL.
    3 while dbt parses, or compiles without a warehouse: enough steps to generate every kind of CTE.
#}
{% macro longest_funnel() -%}
    {%- set funnels = load_relation(ref('funnels')) if execute else none -%}
    {{ return((run_query('select max(step) from ' ~ funnels).columns[0].values()[0] or 1) | int if funnels else 3) }}
{%- endmacro %}
