-- Every row of the seed names an event type, and none is listed twice.
select
    event_type,
    count(*) as copies
from {{ ref('inactive_event_types') }}
group by event_type
having
    event_type is null
    or count(*) > 1
