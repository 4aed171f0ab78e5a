-- Revenue of a cohort of new users up to the end of each user's day n. Days are 24 hours long and count from the
-- hour of the first event, as in Amplitude's chart: day 5 ends after 144 hours.
with users as (
    select
        project_id,
        user_key,
        new_at,
        new_date as cohort_date
    from {{ ref('dim_users') }}
),

cohorts as (
    select
        project_id,
        cohort_date,
        count(*) as cohort_users,
        max(new_at) as last_new_at
    from users
    group by
        project_id,
        cohort_date
),

-- All events before this time have been exported.
known_data as (
    select
        project_id,
        {{ dbt.dateadd('hour', 1, 'max(export_hour)') }} as ended_at
    from {{ source('bronze', 'export_hours') }}
    group by project_id
),

sales as (
    select
        users.project_id,
        users.cohort_date,
        users.user_key,
        {{ rolling_day_number('users.new_at', 'revenue.event_time') }} as day_number,
        revenue.revenue
    from users
    inner join {{ ref('fct_revenue') }} as revenue on users.user_key = revenue.user_key
),

sales_by_day as (
    select
        project_id,
        cohort_date,
        day_number,
        sum(revenue) as revenue
    from sales
    group by
        project_id,
        cohort_date,
        day_number
),

payers as (
    select
        project_id,
        cohort_date,
        count(distinct user_key) as paying_users
    from sales
    group by
        project_id,
        cohort_date
),

days as (
    select
        cohorts.project_id,
        cohorts.cohort_date,
        cohorts.cohort_users,
        cohorts.last_new_at,
        whole_numbers.number as day_number,
        cast(
            sum(coalesce(sales_by_day.revenue, 0)) over (
                partition by cohorts.project_id, cohorts.cohort_date
                order by whole_numbers.number
                rows between unbounded preceding and current row
            ) as decimal(38, 9)
        ) as cumulative_revenue
    from cohorts
    cross join {{ whole_numbers(0, var('retention_days', 30)) }}
    left join sales_by_day
        on
            cohorts.project_id = sales_by_day.project_id
            and cohorts.cohort_date = sales_by_day.cohort_date
            and whole_numbers.number = sales_by_day.day_number
)

select
    days.project_id,
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
left join known_data on days.project_id = known_data.project_id
left join payers
    on
        days.project_id = payers.project_id
        and days.cohort_date = payers.cohort_date
