-- Every property, for a comparison of what is new with what was there before.
select
    project_id,
    scope,
    event_type,
    key,
    json_type,
    first_hour,
    last_hour,
    fill_rate,
    has_type_conflict
from silver.property_catalog
where json_type <> 'null'
order by scope, event_type, key, json_type
