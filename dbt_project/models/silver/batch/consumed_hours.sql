-- The state of the incremental build. This model only creates the table; mark_hours_consumed writes its rows at
-- the end of a run. A full refresh empties it, so every hour is consumed again.
{{ config(materialized='incremental', incremental_strategy='append') }}

select
    cast(null as bigint) as project_id,
    cast(null as timestamp) as export_hour,
    cast(null as varchar) as load_id,
    cast(null as varchar) as settings
where false
