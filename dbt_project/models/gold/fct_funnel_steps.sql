{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    on_schema_change='append_new_columns',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

-- The longest path of each user through each funnel, the earliest if there are several. A path starts at every
-- event of the first step and continues with the earliest allowed event, because a later one allows fewer successors.
--
-- Amplitude does not know the order of different events within a second, and counts only one of equal events
-- within a second. So an event can precede the step that it follows by less than a second, and must be at least a
-- second after the step at which the path last used its event type.
{%- set steps = longest_funnel() | int %}
with funnel_steps as (
    select
        funnel,
        step,
        event_type,
        window_hours,
        lag(step) over (partition by funnel, event_type order by step) as last_use
    from {{ ref('funnels') }}
),

events as (
    select
        project_id,
        user_key,
        event_type,
        event_time
    from {{ events_of_touched_keys() }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
),

step_events as (
    select distinct
        events.project_id,
        events.user_key,
        funnel_steps.funnel,
        funnel_steps.step,
        funnel_steps.window_hours,
        events.event_time
    from events
    inner join funnel_steps on events.event_type = funnel_steps.event_type
),

paths_1 as (
    select
        project_id,
        user_key,
        funnel,
        {{ dbt.dateadd('hour', 'window_hours', 'event_time') }} as ends_at,
        event_time as reached_1
    from step_events
    where step = 1
),
{%- for step in range(2, steps + 1) %}
{%- set last_use_at -%}
case funnel_steps.last_use {%- for used in range(1, step) %} when {{ used }} then paths.reached_{{ used }}{% endfor %} end
{%- endset %}

awaiting_{{ step }} as (
    select
        paths.*,
        {{ dbt.dateadd('microsecond', -999999, 'paths.reached_' ~ (step - 1)) }} as after_previous,
        {{ dbt.dateadd('second', 1, last_use_at) }} as after_last_use
    from paths_{{ step - 1 }} as paths
    inner join funnel_steps on paths.funnel = funnel_steps.funnel
    where funnel_steps.step = {{ step }}
),

-- One timeline of the paths, each at the first time at which it can continue, and of the events of step {{ step }}.
timeline_{{ step }} as (
    select
        project_id,
        user_key,
        funnel,
        ends_at,
        {%- for used in range(1, step) %}
        reached_{{ used }},
        {%- endfor %}
        case when after_last_use > after_previous then after_last_use else after_previous end as moment,
        cast(null as timestamp) as event_time
    from awaiting_{{ step }}
    union all
    select
        project_id,
        user_key,
        funnel,
        cast(null as timestamp) as ends_at,
        {%- for used in range(1, step) %}
        cast(null as timestamp) as reached_{{ used }},
        {%- endfor %}
        event_time as moment,
        event_time
    from step_events
    where step = {{ step }}
),

-- The earliest event at or after that time: the running minimum when the timeline is read backwards.
followed_{{ step }} as (
    select
        *,
        min(event_time) over (
            partition by project_id, user_key, funnel
            order by moment desc, event_time desc nulls last
            rows between unbounded preceding and current row
        ) as reached_{{ step }}
    from timeline_{{ step }}
),

paths_{{ step }} as (
    select
        project_id,
        user_key,
        funnel,
        ends_at,
        {%- for used in range(1, step) %}
        reached_{{ used }},
        {%- endfor %}
        reached_{{ step }}
    from followed_{{ step }}
    where event_time is null and reached_{{ step }} <= ends_at
),
{%- endfor %}

reached_steps as (
    {%- for step in range(1, steps + 1) %}
    select
        project_id,
        user_key,
        funnel,
        reached_1 as started_at,
        {{ step }} as step,
        reached_{{ step }} as reached_at
    from paths_{{ step }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

chosen_paths as (
    select
        user_key,
        funnel,
        started_at
    from reached_steps
    group by
        user_key,
        funnel,
        started_at
    qualify row_number() over (partition by user_key, funnel order by max(step) desc, started_at asc) = 1
),

chosen_steps as (
    select
        reached_steps.project_id,
        reached_steps.user_key,
        reached_steps.funnel,
        reached_steps.step,
        reached_steps.reached_at,
        lag(reached_steps.reached_at) over (
            partition by reached_steps.user_key, reached_steps.funnel order by reached_steps.step
        ) as previous_reached_at
    from reached_steps
    inner join chosen_paths
        on
            reached_steps.user_key = chosen_paths.user_key
            and reached_steps.funnel = chosen_paths.funnel
            and reached_steps.started_at = chosen_paths.started_at
)

select
    chosen_steps.project_id,
    chosen_steps.funnel,
    chosen_steps.user_key,
    cast(chosen_steps.step as bigint) as step,
    funnel_steps.event_type,
    chosen_steps.reached_at,
    case
        when chosen_steps.reached_at < chosen_steps.previous_reached_at then 0
        else {{ seconds_between('chosen_steps.previous_reached_at', 'chosen_steps.reached_at') }}
    end as seconds_from_previous
from chosen_steps
inner join funnel_steps
    on
        chosen_steps.funnel = funnel_steps.funnel
        and chosen_steps.step = funnel_steps.step
