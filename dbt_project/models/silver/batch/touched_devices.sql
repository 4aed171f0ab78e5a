-- The devices whose events changed. Keys accumulate until a batch is consumed, so that an interrupted run loses none.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['project_id', 'device_id'],
    full_refresh=false,
) }}

select distinct
    project_id,
    device_id
from {{ ref('changed_keys') }}
where device_id is not null
