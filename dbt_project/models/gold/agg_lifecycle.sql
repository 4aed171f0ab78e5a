-- Everyone active in a period is new, current or resurrected in it; who was active in the period before and
-- is not now is dormant.
with active_periods as (
    {%- for period in ['day', 'week', 'month'] %}
    select distinct
        '{{ period }}' as period,
        user_key,
        {{ period_of(period, 'activity_date') }} as period_start,
        {{ period_after(period, period_of(period, 'activity_date')) }} as next_start
    from {{ ref('fct_user_activity_daily') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

neighbours as (
    select
        period,
        period_start,
        next_start,
        lag(next_start) over (partition by period, user_key order by period_start) as start_after_last,
        lead(period_start) over (partition by period, user_key order by period_start) as next_active_start
    from active_periods
),

changes as (
    select
        period,
        period_start,
        case when start_after_last is null then 1 else 0 end as is_new,
        case when start_after_last = period_start then 1 else 0 end as is_current,
        case when start_after_last < period_start then 1 else 0 end as is_resurrected,
        0 as is_dormant
    from neighbours
    union all
    select
        period,
        next_start as period_start,
        0 as is_new,
        0 as is_current,
        0 as is_resurrected,
        1 as is_dormant
    from neighbours
    where next_active_start is null or next_active_start > next_start
),

bounds as (
    select
        min(activity_date) as first_date,
        max(activity_date) as last_date
    from {{ ref('fct_user_activity_daily') }}
),

dates as (
    {{ each_date('bounds') }}
),

periods as (
    {%- for period in ['day', 'week', 'month'] %}
    select distinct
        '{{ period }}' as period,
        {{ period_of(period, 'date_day') }} as period_start
    from dates
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    periods.period,
    periods.period_start,
    cast(coalesce(sum(changes.is_new), 0) as bigint) as new_users,
    cast(coalesce(sum(changes.is_current), 0) as bigint) as current_users,
    cast(coalesce(sum(changes.is_resurrected), 0) as bigint) as resurrected_users,
    cast(coalesce(sum(changes.is_dormant), 0) as bigint) as dormant_users
from periods
left join changes
    on
        periods.period = changes.period
        and periods.period_start = changes.period_start
group by
    periods.period,
    periods.period_start
