-- The export hours whose events changed. Added to until the batch is consumed, so that a run that
-- stopped half-way loses none.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['project_id', 'export_hour'],
    full_refresh=false,
) }}

select distinct
    project_id,
    export_hour
from {{ ref('event_changes') }}
where not is_rekeyed
union
select
    project_id,
    export_hour
from {{ ref('load_batch') }}
