-- Properties first seen in the last day, in a project with a week of history before it. A new key is not an error,
-- but it can be a misspelled or renamed one.
{{ config(severity='warn') }}

with property_catalog as (
    select
        project_id,
        scope,
        event_type,
        key,
        first_hour,
        last_hour
    from {{ ref('property_catalog') }}
),

keys as (
    select
        project_id,
        scope,
        event_type,
        key,
        min(first_hour) as first_hour
    from property_catalog
    group by
        project_id,
        scope,
        event_type,
        key
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
    keys.project_id,
    keys.scope,
    keys.event_type,
    keys.key,
    keys.first_hour
from keys
inner join projects on keys.project_id = projects.project_id
where
    keys.first_hour > projects.last_hour - interval '24 hours'
    and keys.first_hour >= projects.first_hour + interval '7 days'
