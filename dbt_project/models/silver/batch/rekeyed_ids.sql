-- Ids whose consumed events carry another user than merged_ids now gives: a merge came late, or was withdrawn.
-- depends_on: {{ ref('merged_ids') }}
{%- set user_identities = silver_relation('user_identities') %}
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

select
    project_id,
    amplitude_id,
    user_key
from resolved_ids
where user_key <> known_user_key
{%- endif %}
