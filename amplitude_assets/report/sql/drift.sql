-- Drifted properties, at most 25 of each kind, with the total of that kind. A key of several event types
-- is one property here.
with properties as (
    select
        scope,
        key,
        min(event_type) as event_type,
        count(distinct event_type) as event_types,
        min(case when json_type <> 'null' then json_type end) as one_type,
        max(case when json_type <> 'null' then json_type end) as other_type,
        min(first_hour) as first_hour,
        max(last_hour) as last_hour,
        sum(occurrences) as occurrences,
        max(case when has_type_conflict then 1 else 0 end) as type_conflicts,
        max(case when has_case_collision then 1 else 0 end) as case_collisions
    from silver.property_catalog
    where project_id = {project_id}
    group by
        scope,
        key
),

judged as (
    select
        scope,
        key,
        event_type,
        event_types,
        one_type,
        other_type,
        first_hour,
        last_hour,
        occurrences,
        case
            when type_conflicts = 1 then 'types'
            when case_collisions = 1 then 'case'
            when first_hour >= timestamp '{new_since}' then 'new'
            when last_hour < timestamp '{gone_since}' then 'gone'
        end as drift
    from properties
)

select
    drift,
    scope,
    key,
    event_type,
    event_types,
    one_type,
    other_type,
    first_hour,
    last_hour,
    occurrences,
    count(*) over (partition by drift) as properties
from judged
where drift is not null
qualify row_number() over (partition by drift order by occurrences desc, scope asc, key asc) <= 25
order by
    drift asc,
    occurrences desc,
    scope asc,
    key asc
