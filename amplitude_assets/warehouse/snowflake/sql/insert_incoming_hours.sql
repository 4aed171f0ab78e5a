-- Inserts one hour of the batch.
insert into incoming_hours (
    export_hour, status, objects, bytes, lines, rejected_lines, digest, fetched_at, events,
    is_confirmed, events_in_question, in_question_since
)
values (
    $export_hour, $status, $objects, $bytes, $lines, $rejected_lines, $digest, $fetched_at, $events,
    $is_confirmed, $events_in_question, $in_question_since
);
