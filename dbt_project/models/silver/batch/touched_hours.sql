-- The export hours whose events changed. Keys accumulate until a batch is consumed, so that an interrupted run loses
-- none.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['project_id', 'export_hour'],
    full_refresh=false,
) }}

select distinct
    project_id,
    export_hour
from {{ ref('changed_keys') }}
where not is_rekeyed
union
select
    project_id,
    export_hour
from {{ ref('load_batch') }}
