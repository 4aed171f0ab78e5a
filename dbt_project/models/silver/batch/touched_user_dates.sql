-- The dates on which a user's events changed. Keys accumulate until a batch is consumed, so that an interrupted run
-- loses none.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['user_key', 'event_date'],
    full_refresh=false,
) }}

select distinct
    user_key,
    event_date
from {{ ref('changed_keys') }}
