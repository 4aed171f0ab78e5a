-- The users' reporting dates whose events changed. Added to until the batch is consumed, so that a run
-- that stopped half-way loses none.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['user_key', 'event_date'],
    full_refresh=false,
) }}

select distinct
    user_key,
    event_date
from {{ ref('event_changes') }}
