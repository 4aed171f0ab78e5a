-- Inserts the ledger rows of the hours in `incoming_hours`.
insert into bronze.export_hours (
    project_id, export_hour, status, objects, bytes, lines, rejected_lines, digest, load_id,
    fetched_at, loaded_at, events_in_question, in_question_since
)
select
    $project_id as project_id,
    export_hour,
    status,
    objects,
    bytes,
    lines,
    rejected_lines,
    digest,
    $load_id as load_id,
    fetched_at,
    $loaded_at as loaded_at,
    events_in_question,
    in_question_since
from incoming_hours;
