-- Which properties the events of each export hour carry: what property_catalog adds up.
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
    select
        events.project_id,
        events.export_hour,
        group_type.value as group_names
    from events
    {{ json_entries('events.group_properties', 'group_type') }}
    where {{ json_is_object('events.group_properties') }}
),

property_sets as {{ inlined() }} (
    select
        project_id,
        export_hour,
        'event' as scope,
        event_type,
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
        group_types.project_id,
        group_types.export_hour,
        'group' as scope,
        '(any)' as event_type,
        group_name.value as properties
    from group_types
    {{ json_entries('group_types.group_names', 'group_name') }}
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
