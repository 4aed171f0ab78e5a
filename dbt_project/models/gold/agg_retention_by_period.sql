-- New users by the week or month in which they were new, and how many of them returned n weeks or months later. The
-- calendar clock counts the weeks (WEEK_START) or months that start in between, the rolling clock 7 or 30 days from
-- each user's first day.
with users as (
    select
        project_id,
        new_date
    from {{ ref('dim_users') }}
),

cohorts as (
    {%- for period in ['week', 'month'] %}
    select
        project_id,
        '{{ period }}' as period,
        {{ period_of(period, 'new_date') }} as cohort_start,
        count(*) as cohort_users,
        max(new_date) as last_new_date
    from users
    group by
        project_id,
        {{ period_of(period, 'new_date') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- All events before this day have been exported.
known_data as (
    select
        project_id,
        {{ to_project_date(dbt.dateadd('hour', 1, 'max(export_hour)')) }} as ended_on
    from {{ source('bronze', 'export_hours') }}
    group by project_id
),

active_dates as (
    select
        project_id,
        new_date,
        activity_date,
        previous_date,
        next_date
    from {{ ref('user_active_dates') }}
),

numbered_dates as (
    {%- for period in ['week', 'month'] %}
    {%- for clock in ['calendar', 'rolling'] %}
    select
        project_id,
        '{{ period }}' as period,
        {{ period_of(period, 'new_date') }} as cohort_start,
        '{{ clock }}' as clock,
        {{ period_number(period, clock, 'new_date', 'activity_date') }} as period_number,
        {{ period_number(period, clock, 'new_date', 'previous_date') }} as previous_period_number,
        next_date
    from active_dates
    {{ 'union all' if not loop.last }}
    {%- endfor %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- A user counts once per period. A user whose last return is in period n returned in or after every period up to n.
returns as (
    select
        project_id,
        period,
        cohort_start,
        clock,
        period_number,
        count(case when previous_period_number = period_number then null else 1 end) as users,
        count(case when next_date is null then 1 end) as users_last_seen
    from numbered_dates
    group by
        project_id,
        period,
        cohort_start,
        clock,
        period_number
),

units as (
    select
        cohorts.project_id,
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
    left join known_data on cohorts.project_id = known_data.project_id
    cross join (values ('calendar'), ('rolling')) as clocks (clock)
    cross join {{ whole_numbers(0, var('retention_periods', 12)) }}
),

counted as (
    select
        units.project_id,
        units.period,
        units.cohort_start,
        units.clock,
        units.period_number,
        units.cohort_users,
        units.is_complete,
        coalesce(sum(case when returns.period_number = units.period_number then returns.users end), 0) as users_on,
        coalesce(sum(returns.users_last_seen), 0) as users_on_or_after
    from units
    left join returns
        on
            units.project_id = returns.project_id
            and units.period = returns.period
            and units.cohort_start = returns.cohort_start
            and units.clock = returns.clock
            and units.period_number <= returns.period_number
    group by
        units.project_id,
        units.period,
        units.cohort_start,
        units.clock,
        units.period_number,
        units.cohort_users,
        units.is_complete
),

in_both_modes as (
    select
        counted.project_id,
        counted.period,
        counted.cohort_start,
        counted.clock,
        modes.mode,
        counted.period_number,
        counted.cohort_users,
        case modes.mode when 'on' then counted.users_on else counted.users_on_or_after end as returned_users,
        counted.is_complete
    from counted
    cross join (values ('on'), ('on_or_after')) as modes (mode)
)

select
    project_id,
    period,
    cohort_start,
    clock,
    mode,
    cast(period_number as bigint) as period_number,
    cohort_users,
    cast(returned_users as bigint) as returned_users,
    cast(returned_users as double) / cohort_users as retention,
    is_complete
from in_both_modes
