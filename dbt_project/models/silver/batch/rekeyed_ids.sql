-- Ids whose consumed events have another user_key than merged_ids now gives: a merge arrived late or was withdrawn.
-- depends_on: {{ ref('merged_ids') }}
{%- set user_identities = silver_relation('user_identities') %}
{%- set events = silver_relation('events') %}
{%- set touched_users = silver_relation('touched_users') %}
{%- if user_identities is none or batch_is_rebuild() %}
select
    cast(null as bigint) as project_id,
    cast(null as bigint) as amplitude_id,
    cast(null as varchar) as user_key
where false
{%- else %}
with known_ids as (
    select distinct
        project_id,
        amplitude_id,
        user_key
    from {{ user_identities }}
    where amplitude_id is not null
    {%- if is_any_row_in(touched_users) and events is not none %}
    union
    -- An interrupted batch may have changed the user_key of events without updating user_identities.
    select
        project_id,
        amplitude_id,
        user_key
    from {{ events }}
    where amplitude_id is not null and {{ keys_are_in(['user_key'], touched_users) }}
    {%- endif %}
),

resolved_ids as (
    select
        known_ids.project_id,
        known_ids.amplitude_id,
        known_ids.user_key as known_user_key,
        {{ user_key(
            'known_ids.project_id', 'coalesce(merged_ids.surviving_amplitude_id, known_ids.amplitude_id)', 'null', 'null',
        ) }} as user_key
    from known_ids
    left join {{ ref('merged_ids') }} as merged_ids
        on
            known_ids.project_id = merged_ids.project_id
            and known_ids.amplitude_id = merged_ids.amplitude_id
)

select distinct
    project_id,
    amplitude_id,
    user_key
from resolved_ids
where user_key <> known_user_key
{%- endif %}
