-- The groups that events name, such as accounts or teams.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_hours': ['project_id', 'export_hour']}},
) }}

with events as {{ inlined() }} (
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

-- An event with too many groups gets no row; event_faults records it.
events_in_groups as {{ inlined() }} (
    select *
    from events
    where (project_id, export_hour, uuid) not in (
        select event_faults.project_id, event_faults.export_hour, event_faults.uuid
        from {{ ref('event_faults') }} as event_faults
        where event_faults.column_name = 'groups'
    )
),

group_types as {{ inlined() }} (
    {{ json_members(
        'events_in_groups', ['project_id', 'export_hour', 'uuid', 'event_time', 'group_properties'], 'groups',
    ) }}
),

group_arrays as {{ inlined() }} (
    select
        project_id,
        export_hour,
        uuid,
        event_time,
        case when not {{ json_is_large('group_properties') }} then group_properties end as small_properties,
        key as group_type,
        {{ json_as_array('value') }} as names
    from group_types
),

named_groups as {{ inlined() }} (
    {{ json_element_texts(
        'group_arrays', ['project_id', 'export_hour', 'uuid', 'event_time', 'small_properties', 'group_type'], 'names',
    ) }}
),

group_names as (
    select distinct
        project_id,
        export_hour,
        uuid,
        event_time,
        group_type,
        value as group_name,
        {{ json_lookup('small_properties', ['group_type', 'value']) }} as group_properties
    from named_groups
    where value is not null
),

-- Properties of many groups are flattened once. A lookup per group would read all of them for every group.
events_of_large_properties as {{ inlined() }} (
    select *
    from events_in_groups
    where {{ json_is_large('group_properties') }}
),

types_of_properties as {{ inlined() }} (
    {{ json_members('events_of_large_properties', ['project_id', 'export_hour', 'uuid'], 'group_properties') }}
),

groups_of_types as {{ inlined() }} (
    select
        project_id,
        export_hour,
        uuid,
        key as group_type,
        value as named_properties
    from types_of_properties
),

named_properties as {{ inlined() }} (
    {{ json_members('groups_of_types', ['project_id', 'export_hour', 'uuid', 'group_type'], 'named_properties') }}
),

large_properties as (
    select
        project_id,
        export_hour,
        uuid,
        group_type,
        key as group_name,
        any_value(value) as group_properties
    from named_properties
    group by
        project_id,
        export_hour,
        uuid,
        group_type,
        key
)

select
    {{ surrogate_key([
        'group_names.project_id', 'group_names.uuid', 'group_names.group_type', 'group_names.group_name',
    ]) }} as event_group_key,
    {{ surrogate_key(['group_names.project_id', 'group_names.group_type', 'group_names.group_name']) }} as group_key,
    group_names.project_id,
    group_names.uuid,
    group_names.group_type,
    group_names.group_name,
    group_names.event_time,
    group_names.export_hour,
    coalesce(group_names.group_properties, large_properties.group_properties) as group_properties
from group_names
left join large_properties
    on
        group_names.project_id = large_properties.project_id
        and group_names.export_hour = large_properties.export_hour
        and group_names.uuid = large_properties.uuid
        and group_names.group_type = large_properties.group_type
        and group_names.group_name = large_properties.group_name
