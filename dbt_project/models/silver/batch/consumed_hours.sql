-- The memory of the incremental machinery. The model only makes the table: rows are written at the end
-- of a run, by mark_hours_consumed. A full refresh empties it, and so everything is consumed again.
{{ config(materialized='incremental', incremental_strategy='append') }}

select
    cast(null as bigint) as project_id,
    cast(null as timestamp) as export_hour,
    cast(null as varchar) as load_id,
    cast(null as varchar) as settings
where false
