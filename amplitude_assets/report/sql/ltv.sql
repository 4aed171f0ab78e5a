-- Over all cohorts that have had the day to its end.
select
    day_number,
    sum(cohort_users) as cohort_users,
    sum(cumulative_revenue) as cumulative_revenue,
    sum(paying_users) as paying_users
from gold.agg_ltv
where
    cohort_date between date '{first_date}' and date '{last_date}'
    and is_complete
group by day_number
order by day_number asc
