-- New users by the week or month in which they were new, and how many of them came back n weeks or months
-- later. The calendar clock counts the weeks (WEEK_START) or months that begin in between, the rolling clock
-- 7 or 30 days from each user's own first day.
with users as (
    select
        user_key,
        new_date
    from {{ ref('dim_users') }}
),

-- Everything that happened before this day is known.
known_data as (
    select {{ to_project_date(dbt.dateadd('hour', 1, 'max(export_hour)')) }} as ended_on
    from {{ source('bronze', 'export_hours') }}
),

cohorts as (
    {%- for period in ['week', 'month'] %}
    select
        '{{ period }}' as period,
        {{ period_of(period, 'new_date') }} as cohort_start,
        count(*) as cohort_users,
        max(new_date) as last_new_date
    from users
    group by {{ period_of(period, 'new_date') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

active_dates as (
    select
        users.user_key,
        users.new_date,
        activity.activity_date
    from users
    inner join {{ ref('fct_user_activity_daily') }} as activity on users.user_key = activity.user_key
),

returns as (
    {%- for period, days in [('week', 7), ('month', 30)] %}
    select distinct
        '{{ period }}' as period,
        {{ period_of(period, 'new_date') }} as cohort_start,
        'calendar' as clock,
        user_key,
        {{ periods_between(period, 'new_date', 'activity_date') }} as period_number
    from active_dates
    union all
    select distinct
        '{{ period }}' as period,
        {{ period_of(period, 'new_date') }} as cohort_start,
        'rolling' as clock,
        user_key,
        cast(floor((activity_date - new_date) / {{ days }}) as bigint) as period_number
    from active_dates
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

returned_on as (
    select
        period,
        cohort_start,
        clock,
        period_number,
        count(*) as returned_users
    from returns
    group by
        period,
        cohort_start,
        clock,
        period_number
),

-- Who came back last in unit n came back in or after every unit up to it.
last_returns as (
    select
        period,
        cohort_start,
        clock,
        max(period_number) as period_number
    from returns
    group by
        period,
        cohort_start,
        clock,
        user_key
),

returned_last_on as (
    select
        period,
        cohort_start,
        clock,
        period_number,
        count(*) as returned_users
    from last_returns
    group by
        period,
        cohort_start,
        clock,
        period_number
),

units as (
    select
        cohorts.period,
        cohorts.cohort_start,
        clocks.clock,
        whole_numbers.number as period_number,
        cohorts.cohort_users,
        coalesce(
            known_data.ended_on >= case
                when clocks.clock = 'rolling' and cohorts.period = 'week'
                    then cohorts.last_new_date + 7 * (whole_numbers.number + 1)
                when clocks.clock = 'rolling'
                    then cohorts.last_new_date + 30 * (whole_numbers.number + 1)
                when cohorts.period = 'week'
                    then cohorts.cohort_start + 7 * (whole_numbers.number + 1)
                else cast({{ dbt.dateadd('month', 'whole_numbers.number + 1', 'cohorts.cohort_start') }} as date)
            end,
            false
        ) as is_complete
    from cohorts
    cross join known_data
    cross join (values ('calendar'), ('rolling')) as clocks (clock)
    cross join {{ whole_numbers(0, var('retention_periods', 12)) }}
),

units_on as (
    select
        units.period,
        units.cohort_start,
        units.clock,
        'on' as mode,
        units.period_number,
        units.cohort_users,
        coalesce(returned_on.returned_users, 0) as returned_users,
        units.is_complete
    from units
    left join returned_on
        on
            units.period = returned_on.period
            and units.cohort_start = returned_on.cohort_start
            and units.clock = returned_on.clock
            and units.period_number = returned_on.period_number
),

units_on_or_after as (
    select
        units.period,
        units.cohort_start,
        units.clock,
        'on_or_after' as mode,
        units.period_number,
        units.cohort_users,
        coalesce(sum(returned_last_on.returned_users), 0) as returned_users,
        units.is_complete
    from units
    left join returned_last_on
        on
            units.period = returned_last_on.period
            and units.cohort_start = returned_last_on.cohort_start
            and units.clock = returned_last_on.clock
            and units.period_number <= returned_last_on.period_number
    group by
        units.period,
        units.cohort_start,
        units.clock,
        units.period_number,
        units.cohort_users,
        units.is_complete
),

both_modes as (
    select period, cohort_start, clock, mode, period_number, cohort_users, returned_users, is_complete
    from units_on
    union all
    select period, cohort_start, clock, mode, period_number, cohort_users, returned_users, is_complete
    from units_on_or_after
)

select
    period,
    cohort_start,
    clock,
    mode,
    cast(period_number as bigint) as period_number,
    cohort_users,
    cast(returned_users as bigint) as returned_users,
    cast(returned_users as double) / cohort_users as retention,
    is_complete
from both_modes
