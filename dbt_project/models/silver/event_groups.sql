-- The groups that an event was sent for: accounts, teams, whatever the sender groups people by.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_hours': ['project_id', 'export_hour']}},
) }}

with events as (
    select
        project_id,
        export_hour,
        uuid,
        event_time,
        groups,
        group_properties
    from {{ ref('events') }}
    {{ where_touched(ref('touched_hours'), ['project_id', 'export_hour']) }}
),

group_types as (
    select
        events.project_id,
        events.export_hour,
        events.uuid,
        events.event_time,
        events.group_properties,
        group_type.key as group_type,
        {{ json_as_array('group_type.value') }} as group_names
    from events
    {{ json_entries('events.groups', 'group_type') }}
    where {{ json_is_object('events.groups') }}
),

group_names as (
    select distinct
        group_types.project_id,
        group_types.export_hour,
        group_types.uuid,
        group_types.event_time,
        group_types.group_type,
        {{ json_as_text('group_name.value') }} as group_name,
        {{ json_lookup('group_types.group_properties', 'group_types.group_type') }} as type_properties
    from group_types
    {{ json_entries('group_types.group_names', 'group_name') }}
)

select
    {{ surrogate_key(['project_id', 'uuid', 'group_type', 'group_name']) }} as event_group_key,
    {{ surrogate_key(['project_id', 'group_type', 'group_name']) }} as group_key,
    project_id,
    uuid,
    group_type,
    group_name,
    event_time,
    export_hour,
    {{ json_lookup('type_properties', 'group_name') }} as group_properties
from group_names
where group_name is not null
