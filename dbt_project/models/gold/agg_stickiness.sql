-- Users by the number of their active days in a week or month.
with users_by_days as (
    {%- for period in ['week', 'month'] %}
    {%- set period_start = period_of(period, 'activity_date') %}
    -- The row of a user's last active date in the {{ period }} has the count of all of them.
    select
        project_id,
        '{{ period }}' as period,
        {{ period_start }} as period_start,
        active_days_of_{{ period }} as active_days,
        count(*) as users
    from {{ ref('user_active_dates') }}
    where next_date is null or next_date >= {{ period_after(period, period_start) }}
    group by
        project_id,
        {{ period_start }},
        active_days_of_{{ period }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

periods as (
    select
        project_id,
        period,
        period_start,
        case
            when period = 'week' then {{ period_after('week', 'period_start') }}
            else {{ period_after('month', 'period_start') }}
        end - period_start as days,
        sum(users) as users
    from users_by_days
    group by
        project_id,
        period,
        period_start
),

-- Every possible number of days, so that charts have no gaps.
counted as (
    select
        periods.project_id,
        periods.period,
        periods.period_start,
        whole_numbers.number as active_days,
        coalesce(users_by_days.users, 0) as users,
        sum(coalesce(users_by_days.users, 0)) over (
            partition by periods.project_id, periods.period, periods.period_start
            order by whole_numbers.number desc rows between unbounded preceding and current row
        ) as users_at_least,
        periods.users as users_in_period
    from periods
    inner join {{ whole_numbers(1, 31) }} on periods.days >= whole_numbers.number
    left join users_by_days
        on
            periods.project_id = users_by_days.project_id
            and periods.period = users_by_days.period
            and periods.period_start = users_by_days.period_start
            and whole_numbers.number = users_by_days.active_days
)

select
    project_id,
    period,
    period_start,
    cast(active_days as bigint) as active_days,
    users,
    cast(users as double) / users_in_period as share,
    cast(users_at_least as double) / users_in_period as cumulative_share
from counted
