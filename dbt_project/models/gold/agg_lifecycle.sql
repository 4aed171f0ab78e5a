-- Every user active in a period is new, current or resurrected in it. A user who was active in the previous period
-- only is dormant.
with active_dates as (
    select
        project_id,
        activity_date,
        previous_date,
        next_date
    from {{ ref('user_active_dates') }}
),

-- The period of each active date, of the user's previous active date and of the next one.
active_periods as (
    {%- for period in ['day', 'week', 'month'] %}
    select
        project_id,
        '{{ period }}' as period,
        {{ period_of(period, 'activity_date') }} as period_start,
        {{ period_after(period, period_of(period, 'activity_date')) }} as following_start,
        {{ period_of(period, 'previous_date') }} as previous_start,
        {{ period_after(period, period_of(period, 'previous_date')) }} as start_after_previous,
        {{ period_of(period, 'next_date') }} as next_start
    from active_dates
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

changes as (
    select
        project_id,
        period,
        period_start,
        count(case when previous_start is null then 1 end) as new_users,
        count(case when start_after_previous = period_start then 1 end) as current_users,
        count(case when start_after_previous < period_start then 1 end) as resurrected_users,
        0 as dormant_users
    from active_periods
    group by
        project_id,
        period,
        period_start
    union all
    select
        project_id,
        period,
        following_start as period_start,
        0 as new_users,
        0 as current_users,
        0 as resurrected_users,
        count(*) as dormant_users
    from active_periods
    where next_start is null or next_start > following_start
    group by
        project_id,
        period,
        following_start
),

bounds as (
    select
        project_id,
        min(activity_date) as first_date,
        max(activity_date) as last_date
    from active_dates
    group by project_id
),

dates as (
    {{ each_date('bounds') }}
),

periods as (
    {%- for period in ['day', 'week', 'month'] %}
    select distinct
        project_id,
        '{{ period }}' as period,
        {{ period_of(period, 'date_day') }} as period_start
    from dates
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    periods.project_id,
    periods.period,
    periods.period_start,
    cast(coalesce(sum(changes.new_users), 0) as bigint) as new_users,
    cast(coalesce(sum(changes.current_users), 0) as bigint) as current_users,
    cast(coalesce(sum(changes.resurrected_users), 0) as bigint) as resurrected_users,
    cast(coalesce(sum(changes.dormant_users), 0) as bigint) as dormant_users
from periods
left join changes
    on
        periods.project_id = changes.project_id
        and periods.period = changes.period
        and periods.period_start = changes.period_start
group by
    periods.project_id,
    periods.period,
    periods.period_start
