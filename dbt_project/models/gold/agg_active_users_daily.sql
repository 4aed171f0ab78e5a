-- Active users in sliding windows, without a join of days with days. A user enters a window of n days on an active
-- date that follows n days without one, and leaves it n days after the last active date before such a gap. The
-- running sum of entries and exits is the number of users in the window. A user enters a calendar week or month on
-- its first active date; the sum restarts with each week or month.
with active_dates as (
    select
        project_id,
        activity_date,
        {{ week_of('activity_date') }} as week_start,
        {{ period_of('month', 'activity_date') }} as month_start,
        previous_date,
        next_date
    from {{ ref('user_active_dates') }}
),

changes as (
    select
        project_id,
        activity_date,
        1 as active,
        case when previous_date >= activity_date - 7 then 0 else 1 end as rolling_week,
        case when previous_date >= activity_date - 30 then 0 else 1 end as rolling_month,
        case when previous_date >= week_start then 0 else 1 end as calendar_week,
        case when previous_date >= month_start then 0 else 1 end as calendar_month,
        0 as is_new
    from active_dates
    union all
    select
        project_id,
        activity_date + 7 as activity_date,
        0 as active,
        -1 as rolling_week,
        0 as rolling_month,
        0 as calendar_week,
        0 as calendar_month,
        0 as is_new
    from active_dates
    where next_date is null or next_date > activity_date + 7
    union all
    select
        project_id,
        activity_date + 30 as activity_date,
        0 as active,
        0 as rolling_week,
        -1 as rolling_month,
        0 as calendar_week,
        0 as calendar_month,
        0 as is_new
    from active_dates
    where next_date is null or next_date > activity_date + 30
    union all
    select
        project_id,
        new_date as activity_date,
        0 as active,
        0 as rolling_week,
        0 as rolling_month,
        0 as calendar_week,
        0 as calendar_month,
        1 as is_new
    from {{ ref('dim_users') }}
),

changes_by_date as (
    select
        project_id,
        activity_date,
        sum(active) as active,
        sum(rolling_week) as rolling_week,
        sum(rolling_month) as rolling_month,
        sum(calendar_week) as calendar_week,
        sum(calendar_month) as calendar_month,
        sum(is_new) as is_new
    from changes
    group by
        project_id,
        activity_date
),

bounds as (
    select
        project_id,
        min(activity_date) as first_date,
        max(case when active > 0 or is_new > 0 then activity_date end) as last_date
    from changes_by_date
    group by project_id
),

dates as (
    {{ each_date('bounds') }}
),

counted as (
    select
        dates.project_id,
        dates.date_day as activity_date,
        coalesce(changes_by_date.active, 0) as dau,
        sum(coalesce(changes_by_date.rolling_week, 0)) over (
            partition by dates.project_id
            order by dates.date_day rows between unbounded preceding and current row
        ) as wau_rolling,
        sum(coalesce(changes_by_date.rolling_month, 0)) over (
            partition by dates.project_id
            order by dates.date_day rows between unbounded preceding and current row
        ) as mau_rolling,
        sum(coalesce(changes_by_date.calendar_week, 0)) over (
            partition by dates.project_id, {{ week_of('dates.date_day') }}
            order by dates.date_day rows between unbounded preceding and current row
        ) as wau_calendar,
        sum(coalesce(changes_by_date.calendar_month, 0)) over (
            partition by dates.project_id, {{ period_of('month', 'dates.date_day') }}
            order by dates.date_day rows between unbounded preceding and current row
        ) as mau_calendar,
        coalesce(changes_by_date.is_new, 0) as new_users
    from dates
    left join changes_by_date
        on
            dates.project_id = changes_by_date.project_id
            and dates.date_day = changes_by_date.activity_date
)

select
    project_id,
    activity_date,
    cast(dau as bigint) as dau,
    cast(wau_rolling as bigint) as wau_rolling,
    cast(mau_rolling as bigint) as mau_rolling,
    cast(wau_calendar as bigint) as wau_calendar,
    cast(mau_calendar as bigint) as mau_calendar,
    cast(new_users as bigint) as new_users,
    cast(dau as double) / nullif(mau_rolling, 0) as dau_mau_ratio
from counted
