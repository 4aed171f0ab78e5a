-- The locations of events.
with events as (
    select
        project_id,
        location_key,
        country,
        region,
        city,
        dma,
        event_time
    from {{ ref('events') }}
    where location_key is not null
)

select
    location_key,
    project_id,
    country,
    region,
    city,
    dma,
    min(event_time) as first_seen_at,
    max(event_time) as last_seen_at,
    count(*) as events
from events
group by
    location_key,
    project_id,
    country,
    region,
    city,
    dma
