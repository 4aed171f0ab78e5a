-- The reporting dates whose events changed. Added to until the batch is consumed, so that a run that
-- stopped half-way loses none.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['project_id', 'event_date'],
    full_refresh=false,
) }}

select distinct
    project_id,
    event_date
from {{ ref('event_changes') }}
