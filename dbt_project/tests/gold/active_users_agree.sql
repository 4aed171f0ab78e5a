-- Every user who is active on a date is new, current or resurrected on it, so two tables that count in different
-- ways must agree on every date.
with active_users as (
    select
        project_id,
        activity_date,
        dau
    from {{ ref('agg_active_users_daily') }}
),

lifecycle as (
    select
        project_id,
        period_start as activity_date,
        new_users + current_users + resurrected_users as active_users
    from {{ ref('agg_lifecycle') }}
    where period = 'day'
)

select
    coalesce(active_users.project_id, lifecycle.project_id) as project_id,
    coalesce(active_users.activity_date, lifecycle.activity_date) as activity_date,
    active_users.dau,
    lifecycle.active_users
from active_users
full outer join lifecycle
    on
        active_users.project_id = lifecycle.project_id
        and active_users.activity_date = lifecycle.activity_date
where coalesce(active_users.dau, 0) <> coalesce(lifecycle.active_users, 0)
