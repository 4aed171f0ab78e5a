{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    on_schema_change='append_new_columns',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

-- Per funnel and user the longest path, and of these the earliest. From every event of the first step a path
-- goes on by the earliest event that may follow, so each event has one successor and a path is a chain.
--
-- Amplitude does not tell the order of events within a second, so an event may stand up to a second before
-- the step that it follows. In a funnel that has an event type twice, that would let one event be two
-- steps; there, each step is later than the one before.
with recursive funnel_steps as (
    select
        funnel,
        step,
        event_type,
        window_hours
    from {{ ref('funnels') }}
),

funnels as (
    select
        funnel,
        max(window_hours) as window_hours,
        case when count(distinct event_type) = count(*) then 1 else 0 end as leeway_seconds
    from funnel_steps
    group by funnel
),

events as (
    select
        user_key,
        event_type,
        event_time
    from {{ events_of_touched_keys() }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
),

step_events as (
    select distinct
        funnel_steps.funnel,
        funnel_steps.step,
        events.user_key,
        events.event_time
    from events
    inner join funnel_steps on events.event_type = funnel_steps.event_type
),

-- Each event of a step, and beside it the events of the next step, on one line of time.
timeline as (
    select
        step_events.funnel,
        step_events.user_key,
        step_events.step,
        step_events.event_time,
        cast(null as timestamp) as following_time,
        {{ dbt.dateadd('second', '-funnels.leeway_seconds', 'step_events.event_time') }} as place,
        0 as tie_break
    from step_events
    inner join funnels on step_events.funnel = funnels.funnel
    union all
    select
        funnel,
        user_key,
        step - 1 as step,
        cast(null as timestamp) as event_time,
        event_time as following_time,
        event_time as place,
        1 as tie_break
    from step_events
    where step > 1
),

-- The earliest event of the next step that comes later than the place: the least of those seen so far when
-- the line of time is read backwards.
linked_events as (
    select
        funnel,
        user_key,
        step,
        event_time,
        min(following_time) over (
            partition by funnel, user_key, step
            order by place desc, tie_break asc
            rows between unbounded preceding and current row
        ) as next_event_time
    from timeline
    qualify event_time is not null
),

paths as (
    select
        linked_events.funnel,
        linked_events.user_key,
        linked_events.event_time as started_at,
        {{ dbt.dateadd('hour', 'funnels.window_hours', 'linked_events.event_time') }} as ends_at,
        linked_events.step,
        linked_events.event_time as reached_at,
        linked_events.next_event_time
    from linked_events
    inner join funnels on linked_events.funnel = funnels.funnel
    where linked_events.step = 1
    union all
    select
        paths.funnel,
        paths.user_key,
        paths.started_at,
        paths.ends_at,
        linked_events.step,
        linked_events.event_time as reached_at,
        linked_events.next_event_time
    from paths
    inner join linked_events
        on
            paths.funnel = linked_events.funnel
            and paths.user_key = linked_events.user_key
            and paths.step + 1 = linked_events.step
            and paths.next_event_time = linked_events.event_time
    where linked_events.event_time <= paths.ends_at
),

chosen_paths as (
    select
        funnel,
        user_key,
        started_at
    from paths
    group by
        funnel,
        user_key,
        started_at
    qualify row_number() over (partition by funnel, user_key order by max(step) desc, started_at asc) = 1
),

chosen_steps as (
    select
        paths.funnel,
        paths.user_key,
        paths.step,
        paths.reached_at,
        lag(paths.reached_at) over (
            partition by paths.funnel, paths.user_key order by paths.step
        ) as previous_reached_at
    from paths
    inner join chosen_paths
        on
            paths.funnel = chosen_paths.funnel
            and paths.user_key = chosen_paths.user_key
            and paths.started_at = chosen_paths.started_at
)

select
    chosen_steps.funnel,
    chosen_steps.user_key,
    chosen_steps.step,
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
