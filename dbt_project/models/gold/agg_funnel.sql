with projects as (
    select distinct project_id
    from {{ source('bronze', 'export_hours') }}
),

funnel_steps as (
    select
        projects.project_id,
        funnels.funnel,
        funnels.step,
        funnels.event_type
    from projects
    cross join {{ ref('funnels') }} as funnels
),

reached_steps as (
    select
        project_id,
        funnel,
        step,
        count(*) as users,
        median(seconds_from_previous) as median_seconds_from_previous
    from {{ ref('fct_funnel_steps') }}
    group by
        project_id,
        funnel,
        step
),

counted as (
    select
        funnel_steps.project_id,
        funnel_steps.funnel,
        funnel_steps.step,
        funnel_steps.event_type,
        coalesce(reached_steps.users, 0) as users,
        first_value(coalesce(reached_steps.users, 0)) over (
            partition by funnel_steps.project_id, funnel_steps.funnel
            order by funnel_steps.step
            rows between unbounded preceding and current row
        ) as users_at_start,
        lag(coalesce(reached_steps.users, 0)) over (
            partition by funnel_steps.project_id, funnel_steps.funnel order by funnel_steps.step
        ) as users_before,
        reached_steps.median_seconds_from_previous
    from funnel_steps
    left join reached_steps
        on
            funnel_steps.project_id = reached_steps.project_id
            and funnel_steps.funnel = reached_steps.funnel
            and funnel_steps.step = reached_steps.step
)

select
    project_id,
    funnel,
    step,
    event_type,
    users,
    cast(users as double) / nullif(users_at_start, 0) as conversion_from_start,
    cast(users as double) / nullif(users_before, 0) as conversion_from_previous,
    cast(median_seconds_from_previous as double) as median_seconds_from_previous
from counted
