-- Adds an hour of the batch.
insert into incoming_hours (
    export_hour, status, objects, bytes, lines, rejected_lines, digest, fetched_at
)
values ($export_hour, $status, $objects, $bytes, $lines, $rejected_lines, $digest, $fetched_at);
