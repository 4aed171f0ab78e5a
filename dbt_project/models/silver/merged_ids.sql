-- Who was merged into whom, and who survives in the end.
--
-- Claims come from events (`data.merged_amplitude_id`: the event's own id is absorbed), from the merge
-- file of Amplitude's S3 export, and, if asked for, from a guess over devices. Of several claims for one
-- id the latest counts; a guess only where nothing else is known. All lines count, dropped copies too.
--
-- Merges are followed to the end. A chain that runs into a circle is not followed at all.
{%- set of_the_batch = in_batch() %}
{%- set line_columns -%}
project_id, user_id, device_id, amplitude_id, merged_amplitude_id, event_time
{%- endset %}
{%- set consumed = [] if batch_is_rebuild() else [silver_relation('events'), silver_relation('event_duplicates')] %}

with recursive lines as {{ inlined() }} (
    select {{ line_columns }}
    from {{ ref('judged_rows') }}
    where is_in_batch
    union all
    select {{ line_columns }}
    from {{ ref('event_verdicts') }}
    where not is_in_batch
    {%- for relation in consumed %}
    union all
    select {{ line_columns }}
    from {{ relation }}
    where not ({{ of_the_batch }})
    {%- endfor %}
),

{%- if var('infer_merges_from_devices') %}

anonymous_ids as (
    select
        project_id,
        amplitude_id
    from lines
    where amplitude_id is not null
    group by
        project_id,
        amplitude_id
    having max(user_id) is null
),

anonymous_devices as (
    select
        lines.project_id,
        lines.amplitude_id,
        lines.device_id,
        min(lines.event_time) as first_seen_at
    from lines
    inner join anonymous_ids
        on
            lines.project_id = anonymous_ids.project_id
            and lines.amplitude_id = anonymous_ids.amplitude_id
    where lines.device_id is not null
    group by
        lines.project_id,
        lines.amplitude_id,
        lines.device_id
),

-- The one person that the devices of an anonymous id belong to later, if it is one.
inferred_claims as (
    select
        anonymous_devices.project_id,
        anonymous_devices.amplitude_id,
        min(lines.amplitude_id) as merged_amplitude_id,
        min(lines.event_time) as merged_at
    from anonymous_devices
    inner join lines
        on
            anonymous_devices.project_id = lines.project_id
            and anonymous_devices.device_id = lines.device_id
            and anonymous_devices.first_seen_at <= lines.event_time
    where lines.user_id is not null and lines.amplitude_id is not null
    group by
        anonymous_devices.project_id,
        anonymous_devices.amplitude_id
    having count(distinct lines.amplitude_id) = 1
),
{%- endif %}

claims as (
    select
        project_id,
        amplitude_id,
        merged_amplitude_id,
        event_time as merged_at,
        'payload' as method
    from lines
    where merged_amplitude_id is not null and amplitude_id is not null
    union all
    select
        project_id,
        amplitude_id,
        merged_amplitude_id,
        coalesce(merge_event_time, merge_server_time) as merged_at,
        'merge_export' as method
    from {{ source('bronze', 'merge_ids') }}
    {%- if var('infer_merges_from_devices') %}
    union all
    select
        project_id,
        amplitude_id,
        merged_amplitude_id,
        merged_at,
        'inferred' as method
    from inferred_claims
    {%- endif %}
),

merges as (
    select
        project_id,
        amplitude_id,
        merged_amplitude_id,
        merged_at,
        method,
        count(distinct merged_amplitude_id) over (partition by project_id, amplitude_id) as targets
    from claims
    where amplitude_id <> merged_amplitude_id
    qualify row_number() over (
        partition by project_id, amplitude_id
        order by
            case method when 'inferred' then 1 else 0 end asc,
            merged_at desc nulls last,
            method asc,
            merged_amplitude_id desc
    ) = 1
),

chains as (
    select
        project_id,
        amplitude_id,
        merged_amplitude_id as reached_amplitude_id,
        1 as merges,
        false as is_cycle,
        cast('/' || cast(amplitude_id as varchar) || '/' || cast(merged_amplitude_id as varchar) || '/' as varchar) as path
    from merges
    union all
    select
        chains.project_id,
        chains.amplitude_id,
        merges.merged_amplitude_id as reached_amplitude_id,
        chains.merges + 1 as merges,
        chains.path like '%/' || cast(merges.merged_amplitude_id as varchar) || '/%' as is_cycle,
        chains.path || cast(merges.merged_amplitude_id as varchar) || '/' as path
    from chains
    inner join merges
        on
            chains.project_id = merges.project_id
            and chains.reached_amplitude_id = merges.amplitude_id
    where not chains.is_cycle
),

ends as (
    select
        project_id,
        amplitude_id,
        reached_amplitude_id,
        merges,
        is_cycle
    from chains
    qualify row_number() over (partition by project_id, amplitude_id order by merges desc) = 1
)

select
    merges.project_id,
    merges.amplitude_id,
    merges.merged_amplitude_id,
    case when ends.is_cycle then merges.amplitude_id else ends.reached_amplitude_id end as surviving_amplitude_id,
    merges.method,
    merges.merged_at,
    merges.targets,
    ends.merges,
    ends.is_cycle
from merges
inner join ends
    on
        merges.project_id = ends.project_id
        and merges.amplitude_id = ends.amplitude_id
