-- The ledger rows of a range of hours, both ends inclusive.
select
    export_hour,
    status,
    objects,
    bytes,
    lines,
    rejected_lines,
    digest,
    load_id,
    fetched_at,
    loaded_at,
    coalesce(events_in_question, 0) as events_in_question,
    in_question_since
from bronze.export_hours
where project_id = $project_id and export_hour between $first_hour and $last_hour
order by export_hour;
