{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    on_schema_change='append_new_columns',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

with funnel_lengths as (
    select
        funnel,
        max(step) as last_step
    from {{ ref('funnels') }}
    group by funnel
),

reached_steps as (
    select
        project_id,
        funnel,
        user_key,
        step,
        reached_at
    from {{ ref('fct_funnel_steps') }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
)

select
    reached_steps.project_id,
    reached_steps.funnel,
    reached_steps.user_key,
    max(case when reached_steps.step = 1 then reached_steps.reached_at end) as started_at,
    max(reached_steps.step) as furthest_step,
    max(
        case when reached_steps.step = funnel_lengths.last_step then reached_steps.reached_at end
    ) as converted_at
from reached_steps
inner join funnel_lengths on reached_steps.funnel = funnel_lengths.funnel
group by
    reached_steps.project_id,
    reached_steps.funnel,
    reached_steps.user_key
