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

calendar_returns as (
    select
        users.cohort_date,
        users.user_key,
        'calendar' as clock,
        activity.activity_date - users.cohort_date as day_number
    from users
    inner join {{ ref('fct_user_activity_daily') }} as activity on users.user_key = activity.user_key
),

rolling_returns as (
    select distinct
        users.cohort_date,
        users.user_key,
        '24h' as clock,
        {{ rolling_day_number('users.new_at', 'activity.activity_hour') }} as day_number
    from users
    inner join {{ ref('user_activity_hourly') }} as activity on users.user_key = activity.user_key
    where activity.active_events > 0
),

returns as (
    select cohort_date, user_key, clock, day_number from calendar_returns
    union all
    select cohort_date, user_key, clock, day_number from rolling_returns
),

returned_on as (
    select
        cohort_date,
        clock,
        day_number,
        count(*) as returned_users
    from returns
    group by
        cohort_date,
        clock,
        day_number
),

-- Who came back last on day n came back on or after every day up to it.
last_returns as (
    select
        cohort_date,
        clock,
        max(day_number) as day_number
    from returns
    group by
        cohort_date,
        clock,
        user_key
),

returned_last_on as (
    select
        cohort_date,
        clock,
        day_number,
        count(*) as returned_users
    from last_returns
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

days_on as (
    select
        days.cohort_date,
        days.clock,
        'on' as mode,
        days.day_number,
        days.cohort_users,
        coalesce(returned_on.returned_users, 0) as returned_users,
        days.is_complete
    from days
    left join returned_on
        on
            days.cohort_date = returned_on.cohort_date
            and days.clock = returned_on.clock
            and days.day_number = returned_on.day_number
),

days_on_or_after as (
    select
        days.cohort_date,
        days.clock,
        'on_or_after' as mode,
        days.day_number,
        days.cohort_users,
        coalesce(sum(returned_last_on.returned_users), 0) as returned_users,
        days.is_complete
    from days
    left join returned_last_on
        on
            days.cohort_date = returned_last_on.cohort_date
            and days.clock = returned_last_on.clock
            and days.day_number <= returned_last_on.day_number
    group by
        days.cohort_date,
        days.clock,
        days.day_number,
        days.cohort_users,
        days.is_complete
),

both_modes as (
    select cohort_date, clock, mode, day_number, cohort_users, returned_users, is_complete
    from days_on
    union all
    select cohort_date, clock, mode, day_number, cohort_users, returned_users, is_complete
    from days_on_or_after
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
from both_modes
