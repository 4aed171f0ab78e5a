-- The keys of every row that the batch removes from silver.events or adds to it. Computed before silver.events
-- changes. Empty during a rebuild.
{%- set events = silver_relation('events') %}
{%- set of_the_batch = in_batch() %}
with merged_ids as (
    select
        project_id,
        amplitude_id,
        surviving_amplitude_id
    from {{ ref('merged_ids') }}
),

rekeyed_ids as (
    select
        project_id,
        amplitude_id,
        user_key
    from {{ ref('rekeyed_ids') }}
),

new_rows as (
    select
        project_id,
        export_hour,
        event_date,
        device_id,
        user_id,
        amplitude_id
    from {{ ref('dedup_candidates') }}
    where is_in_batch and {{ 'false' if batch_is_rebuild() else 'true' }}
    union all
    select
        project_id,
        export_hour,
        event_date,
        device_id,
        user_id,
        amplitude_id
    from {{ ref('dedup_results') }}
    where not is_in_batch
)

select distinct
    new_rows.project_id,
    new_rows.export_hour,
    new_rows.event_date,
    new_rows.device_id,
    {{ user_key(
        'new_rows.project_id', 'coalesce(merged_ids.surviving_amplitude_id, new_rows.amplitude_id)',
        'new_rows.user_id', 'new_rows.device_id',
    ) }} as user_key,
    false as is_rekeyed
from new_rows
left join merged_ids
    on
        new_rows.project_id = merged_ids.project_id
        and new_rows.amplitude_id = merged_ids.amplitude_id
{%- if events is not none and not batch_is_rebuild() %}
union
select
    project_id,
    export_hour,
    event_date,
    device_id,
    user_key,
    false as is_rekeyed
from {{ events }}
where {{ of_the_batch }}
union
select
    events.project_id,
    events.export_hour,
    events.event_date,
    events.device_id,
    events.user_key,
    true as is_rekeyed
from {{ events }} as events
inner join rekeyed_ids
    on
        events.project_id = rekeyed_ids.project_id
        and events.amplitude_id = rekeyed_ids.amplitude_id
union
select
    events.project_id,
    events.export_hour,
    events.event_date,
    events.device_id,
    rekeyed_ids.user_key,
    true as is_rekeyed
from {{ events }} as events
inner join rekeyed_ids
    on
        events.project_id = rekeyed_ids.project_id
        and events.amplitude_id = rekeyed_ids.amplitude_id
{%- endif %}
