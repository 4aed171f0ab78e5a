-- The properties of the events in each export hour. property_catalog aggregates them.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_hours': ['project_id', 'export_hour']}},
) }}

with events as {{ inlined() }} (
    select
        project_id,
        export_hour,
        event_type,
        event_properties,
        user_properties,
        group_properties
    from {{ ref('events') }}
    {{ where_touched(ref('touched_hours'), ['project_id', 'export_hour']) }}
),

group_types as (
    {{ json_members('events', ['project_id', 'export_hour'], 'group_properties') }}
),

named_groups as (
    {{ json_members('group_types', ['project_id', 'export_hour'], 'group_types.value') }}
),

property_sets as {{ inlined() }} (
    select
        project_id,
        export_hour,
        'event' as scope,
        -- Amplitude accepts no longer name, and each key would repeat it.
        case when length(event_type) <= 1024 then event_type else '(any)' end as event_type,
        event_properties as properties
    from events
    union all
    select
        project_id,
        export_hour,
        'user' as scope,
        '(any)' as event_type,
        user_properties as properties
    from events
    union all
    select
        project_id,
        export_hour,
        'group' as scope,
        '(any)' as event_type,
        value as properties
    from named_groups
),

key_counts as (
    {{ count_json_keys('property_sets', ['project_id', 'export_hour', 'scope', 'event_type']) }}
)

select
    project_id,
    export_hour,
    scope,
    event_type,
    key,
    json_type,
    cast(occurrences as bigint) as occurrences
from key_counts
