-- New users by the date on which they were new, and how many of them returned n days later, for both clocks and
-- both modes.
with cohorts as (
    select
        project_id,
        new_date as cohort_date,
        count(*) as cohort_users,
        max(new_at) as last_new_at
    from {{ ref('dim_users') }}
    group by
        project_id,
        new_date
),

-- All events before this time have been exported.
known_data as (
    select
        project_id,
        {{ dbt.dateadd('hour', 1, 'max(export_hour)') }} as ended_at
    from {{ source('bronze', 'export_hours') }}
    group by project_id
),

-- A user whose last return is on day n returned on or after every day up to n.
returns as (
    select
        project_id,
        new_date as cohort_date,
        'calendar' as clock,
        activity_date - new_date as day_number,
        count(*) as users,
        count(case when next_date is null then 1 end) as users_last_seen
    from {{ ref('user_active_dates') }}
    group by
        project_id,
        new_date,
        activity_date - new_date
    union all
    select
        project_id,
        new_date as cohort_date,
        '24h' as clock,
        day_number,
        count(*) as users,
        count(case when is_last then 1 end) as users_last_seen
    from {{ ref('user_rolling_days') }}
    group by
        project_id,
        new_date,
        day_number
),

days as (
    select
        cohorts.project_id,
        cohorts.cohort_date,
        cohorts.cohort_users,
        clocks.clock,
        whole_numbers.number as day_number,
        coalesce(
            case
                when clocks.clock = 'calendar'
                    then {{ to_project_date('known_data.ended_at') }} > cohorts.cohort_date + whole_numbers.number
                else
                    known_data.ended_at
                    >= {{ dbt.dateadd('day', 'whole_numbers.number + 1', "date_trunc('hour', cohorts.last_new_at)") }}
            end,
            false
        ) as is_complete
    from cohorts
    left join known_data on cohorts.project_id = known_data.project_id
    cross join (values ('calendar'), ('24h')) as clocks (clock)
    cross join {{ whole_numbers(0, var('retention_days', 30)) }}
),

counted as (
    select
        days.project_id,
        days.cohort_date,
        days.clock,
        days.day_number,
        days.cohort_users,
        days.is_complete,
        coalesce(sum(case when returns.day_number = days.day_number then returns.users end), 0) as users_on,
        coalesce(sum(returns.users_last_seen), 0) as users_on_or_after
    from days
    left join returns
        on
            days.project_id = returns.project_id
            and days.cohort_date = returns.cohort_date
            and days.clock = returns.clock
            and days.day_number <= returns.day_number
    group by
        days.project_id,
        days.cohort_date,
        days.clock,
        days.day_number,
        days.cohort_users,
        days.is_complete
),

in_both_modes as (
    select
        counted.project_id,
        counted.cohort_date,
        counted.clock,
        modes.mode,
        counted.day_number,
        counted.cohort_users,
        case modes.mode when 'on' then counted.users_on else counted.users_on_or_after end as returned_users,
        counted.is_complete
    from counted
    cross join (values ('on'), ('on_or_after')) as modes (mode)
)

select
    project_id,
    cohort_date,
    clock,
    mode,
    cast(day_number as bigint) as day_number,
    cohort_users,
    cast(returned_users as bigint) as returned_users,
    cast(returned_users as double) / cohort_users as retention,
    is_complete
from in_both_modes
