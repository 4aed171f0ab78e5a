-- Merged amplitude_ids, and the id that survives at the end of each merge chain.
--
-- Merge claims come from events (`data.merged_amplitude_id`: the event's own id is merged), from the merge file
-- of Amplitude's S3 export, and optionally from an inference over devices. If an id has several claims, the latest
-- is used; an inferred claim is used only if there is no other. Dropped copies provide claims, too.
--
-- Merge chains are followed to the end, except chains that contain a cycle or more than 65 merges: their ids are
-- not merged. Each round doubles the number of merges that are followed. This is not a recursive CTE, because Snowflake
-- limits the depth of a recursion and cannot spill it.
{%- set of_the_batch = in_batch() %}
{%- set rounds = 6 %}
{%- set line_columns -%}
project_id, user_id, device_id, amplitude_id, merged_amplitude_id, event_time
{%- endset %}
{%- set consumed = [] if batch_is_rebuild() else [silver_relation('events'), silver_relation('event_duplicates')] %}

with lines as {{ inlined() }} (
    select {{ line_columns }}
    from {{ ref('dedup_candidates') }}
    where is_in_batch
    union all
    select {{ line_columns }}
    from {{ ref('dedup_results') }}
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

-- The user to whom the devices of an anonymous id belong later, if there is exactly one.
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
    where {{ identifier('amplitude_id') }} is not null and {{ identifier('merged_amplitude_id') }} is not null
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

-- The ids whose target is itself merged, which are few: chains of several merges are rare.
chained_ids as (
    select
        merges.project_id,
        merges.amplitude_id,
        merges.merged_amplitude_id
    from merges
    inner join merges as target_merges
        on
            merges.project_id = target_merges.project_id
            and merges.merged_amplitude_id = target_merges.amplitude_id
),

paths_0 as (
    select
        project_id,
        amplitude_id,
        merged_amplitude_id as reached_amplitude_id,
        1 as merges
    from chained_ids
),
{%- for round in range(1, rounds + 1) %}

paths_{{ round }} as (
    select
        paths.project_id,
        paths.amplitude_id,
        coalesce(further_paths.reached_amplitude_id, paths.reached_amplitude_id) as reached_amplitude_id,
        paths.merges + coalesce(further_paths.merges, 0) as merges
    from paths_{{ round - 1 }} as paths
    left join paths_{{ round - 1 }} as further_paths
        on
            paths.project_id = further_paths.project_id
            and paths.reached_amplitude_id = further_paths.amplitude_id
),
{%- endfor %}

-- A path ends before the last merge of its chain, so it has not ended if its id is still chained.
ends as (
    select
        paths.project_id,
        paths.amplitude_id,
        last_merges.merged_amplitude_id as surviving_amplitude_id,
        paths.merges + 1 as merges,
        chained_ids.amplitude_id is not null as is_cycle
    from paths_{{ rounds }} as paths
    inner join merges as last_merges
        on
            paths.project_id = last_merges.project_id
            and paths.reached_amplitude_id = last_merges.amplitude_id
    left join chained_ids
        on
            paths.project_id = chained_ids.project_id
            and paths.reached_amplitude_id = chained_ids.amplitude_id
)

select
    merges.project_id,
    merges.amplitude_id,
    merges.merged_amplitude_id,
    case
        when ends.is_cycle then merges.amplitude_id
        else coalesce(ends.surviving_amplitude_id, merges.merged_amplitude_id)
    end as surviving_amplitude_id,
    merges.method,
    merges.merged_at,
    merges.targets,
    case when ends.is_cycle then 0 else coalesce(ends.merges, 1) end as merges,
    coalesce(ends.is_cycle, false) as is_cycle
from merges
left join ends
    on
        merges.project_id = ends.project_id
        and merges.amplitude_id = ends.amplitude_id
