-- Events that exceed a limit of property_catalog or event_groups, by hour and line, with what was left out there.
-- The other models have these events in full.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_hours': ['project_id', 'export_hour']}},
) }}
{%- set line = ['project_id', 'export_hour', 'source_object', 'source_line', 'uuid'] %}

with events as {{ inlined() }} (
    select
        {{ line | join(', ') }},
        event_properties,
        user_properties,
        groups,
        group_properties
    from {{ ref('events') }}
    {{ where_touched(ref('touched_hours'), ['project_id', 'export_hour']) }}
),

-- An object cannot have more entries than bytes, so most objects need not be parsed.
large_groups as (
    select *
    from events
    where {{ json_may_have_many('groups') }}
),

large_group_properties as (
    select *
    from events
    where {{ json_may_have_many('group_properties') }}
),

group_types as (
    {{ json_members('large_groups', line, 'groups') }}
),

group_arrays as (
    select
        {{ line | join(', ') }},
        {{ json_as_array('value') }} as group_names
    from group_types
),

group_names as (
    {{ json_element_texts('group_arrays', line, 'group_names') }}
),

types_of_properties as (
    {{ json_members('large_group_properties', line, 'group_properties') }}
),

named_groups as (
    {{ json_members('types_of_properties', line, 'types_of_properties.value') }}
),

counted as (
    {%- for column in ['event_properties', 'user_properties'] %}
    select
        {{ line | join(', ') }},
        '{{ column }}' as column_name,
        'too many keys' as reason,
        {{ json_key_count(column) }} as entries,
        {{ json_key_count(column) }} - {{ most_keys() }} as left_out
    from events
    where {{ json_key_count(column) }} > {{ most_keys() }}
    union all
    {%- endfor %}
    select
        {{ line | join(', ') }},
        'group_properties' as column_name,
        'too many keys' as reason,
        sum({{ json_key_count('value') }}) as entries,
        sum({{ json_key_count('value') }} - {{ most_keys() }}) as left_out
    from named_groups
    where {{ json_key_count('value') }} > {{ most_keys() }}
    group by {{ line | join(', ') }}
    union all
    select
        {{ line | join(', ') }},
        'groups' as column_name,
        'too many groups' as reason,
        count(*) as entries,
        count(*) as left_out
    from group_names
    group by {{ line | join(', ') }}
    having count(*) > {{ most_keys() }}
)

select
    {{ line | join(', ') }},
    column_name,
    reason,
    cast(entries as bigint) as entries,
    cast(left_out as bigint) as left_out
from counted
