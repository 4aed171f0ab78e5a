-- The devices whose events changed. Added to until the batch is consumed, so that a run that stopped
-- half-way loses none.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['project_id', 'device_id'],
    full_refresh=false,
) }}

select distinct
    project_id,
    device_id
from {{ ref('event_changes') }}
where device_id is not null
