-- Properties whose values have a new type since the last day, in a project with a week of history before it. A
-- conversion to the earlier type now returns NULL for them.
{{ config(severity='warn') }}

with property_catalog as (
    select
        project_id,
        scope,
        event_type,
        key,
        json_type,
        first_hour,
        last_hour,
        has_type_conflict
    from {{ ref('property_catalog') }}
),

projects as (
    select
        project_id,
        min(first_hour) as first_hour,
        max(last_hour) as last_hour
    from property_catalog
    group by project_id
)

select
    property_catalog.project_id,
    property_catalog.scope,
    property_catalog.event_type,
    property_catalog.key,
    property_catalog.json_type,
    property_catalog.first_hour
from property_catalog
inner join projects on property_catalog.project_id = projects.project_id
where
    property_catalog.has_type_conflict
    and property_catalog.json_type <> 'null'
    and property_catalog.first_hour > projects.last_hour - interval '24 hours'
    and property_catalog.first_hour >= projects.first_hour + interval '7 days'
