-- Omits days that have not begun for any user: a cohort's day n begins n days after its date.
select
    cohort_date,
    mode,
    day_number,
    cohort_users,
    returned_users,
    is_complete
from gold.agg_retention
where
    project_id = {project_id}
    and clock = '24h'
    and cohort_date between date '{first_date}' and date '{last_date}'
    and day_number <= date '{last_date}' - cohort_date
order by
    cohort_date asc,
    mode asc,
    day_number asc
