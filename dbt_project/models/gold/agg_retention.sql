-- New users by the date they were new, and how many of them came back n days later, by both clocks and in
-- both modes.
with users as (
    select
        user_key,
        new_at,
        new_date as cohort_date
    from {{ ref('dim_users') }}
),

cohorts as (
    select
        cohort_date,
        count(*) as cohort_users,
        max(new_at) as last_new_at
    from users
    group by cohort_date
),

-- Everything that happened before this moment is known.
known_data as (
    select {{ dbt.dateadd('hour', 1, 'max(export_hour)') }} as ended_at
    from {{ source('bronze', 'export_hours') }}
),

calendar_days as (
    select
        users.cohort_date,
        activity.activity_date - users.cohort_date as day_number,
        lead(activity.activity_date) over (
            partition by users.user_key order by activity.activity_date
        ) as next_date
    from users
    inner join {{ ref('fct_user_activity_daily') }} as activity on users.user_key = activity.user_key
),

rolling_days as (
    select
        users.user_key,
        users.cohort_date,
        activity.activity_hour,
        {{ rolling_day_number('users.new_at', 'activity.activity_hour') }} as day_number
    from users
    inner join {{ ref('user_activity_hourly') }} as activity on users.user_key = activity.user_key
    where activity.active_events > 0
),

active_days as (
    select
        cohort_date,
        'calendar' as clock,
        day_number,
        false as is_repeated,
        next_date is null as is_last
    from calendar_days
    union all
    select
        cohort_date,
        '24h' as clock,
        day_number,
        coalesce(
            day_number = lag(day_number) over (partition by user_key order by activity_hour), false
        ) as is_repeated,
        lead(day_number) over (partition by user_key order by activity_hour) is null as is_last
    from rolling_days
),

-- A user counts once for a day. Who came back last on a day came back on or after every day up to it.
returns as (
    select
        cohort_date,
        clock,
        day_number,
        count(case when not is_repeated then 1 end) as users,
        count(case when is_last then 1 end) as users_last_seen
    from active_days
    group by
        cohort_date,
        clock,
        day_number
),

days as (
    select
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
    cross join known_data
    cross join (values ('calendar'), ('24h')) as clocks (clock)
    cross join {{ whole_numbers(0, var('retention_days', 30)) }}
),

counted as (
    select
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
            days.cohort_date = returns.cohort_date
            and days.clock = returns.clock
            and days.day_number <= returns.day_number
    group by
        days.cohort_date,
        days.clock,
        days.day_number,
        days.cohort_users,
        days.is_complete
),

in_both_modes as (
    select
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
    cohort_date,
    clock,
    mode,
    cast(day_number as bigint) as day_number,
    cohort_users,
    cast(returned_users as bigint) as returned_users,
    cast(returned_users as double) / cohort_users as retention,
    is_complete
from in_both_modes
