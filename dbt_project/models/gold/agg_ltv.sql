-- What a cohort of new users has brought in by the end of each user's day n. Days are 24 hours from the hour
-- of the first event, as in Amplitude's chart: by day 5, 144 hours.
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

sales as (
    select
        users.cohort_date,
        users.user_key,
        {{ rolling_day_number('users.new_at', 'revenue.event_time') }} as day_number,
        revenue.revenue
    from users
    inner join {{ ref('fct_revenue') }} as revenue on users.user_key = revenue.user_key
),

sales_by_day as (
    select
        cohort_date,
        day_number,
        sum(revenue) as revenue
    from sales
    group by
        cohort_date,
        day_number
),

payers as (
    select
        cohort_date,
        count(distinct user_key) as paying_users
    from sales
    group by cohort_date
),

days as (
    select
        cohorts.cohort_date,
        cohorts.cohort_users,
        cohorts.last_new_at,
        whole_numbers.number as day_number,
        cast(
            sum(coalesce(sales_by_day.revenue, 0)) over (
                partition by cohorts.cohort_date
                order by whole_numbers.number
                rows between unbounded preceding and current row
            ) as decimal(38, 9)
        ) as cumulative_revenue
    from cohorts
    cross join {{ whole_numbers(0, var('retention_days', 30)) }}
    left join sales_by_day
        on
            cohorts.cohort_date = sales_by_day.cohort_date
            and whole_numbers.number = sales_by_day.day_number
)

select
    days.cohort_date,
    cast(days.day_number as bigint) as day_number,
    days.cohort_users,
    days.cumulative_revenue,
    cast(days.cumulative_revenue as double) / days.cohort_users as arpu,
    cast(days.cumulative_revenue as double) / payers.paying_users as arppu,
    coalesce(payers.paying_users, 0) as paying_users,
    coalesce(
        known_data.ended_at
        >= {{ dbt.dateadd('day', 'days.day_number + 1', "date_trunc('hour', days.last_new_at)") }},
        false
    ) as is_complete
from days
cross join known_data
left join payers on days.cohort_date = payers.cohort_date
