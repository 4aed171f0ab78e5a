-- Inserts the merges of merge files, whose times are milliseconds since 1970.
insert into bronze.merge_ids (
    project_id, source_object, source_line, amplitude_id, merged_amplitude_id, merge_event_time,
    merge_server_time, loaded_at
)
select
    $project_id as project_id,
    objects.source_object,
    lines.source_line,
    try_to_number(lines.line:"amplitude_id"::varchar, 38, 0) as amplitude_id,
    try_to_number(lines.line:"merged_amplitude_id"::varchar, 38, 0) as merged_amplitude_id,
    to_timestamp_ntz(try_to_number(lines.line:"merge_time"::varchar, 38, 0), 3) as merge_event_time,
    to_timestamp_ntz(try_to_number(lines.line:"merge_server_time"::varchar, 38, 0), 3)
        as merge_server_time,
    $loaded_at as loaded_at
from incoming_lines as lines
inner join incoming_objects as objects on lines.source_file = objects.source_file
where
    try_to_number(lines.line:"amplitude_id"::varchar, 38, 0) is not null
    and try_to_number(lines.line:"merged_amplitude_id"::varchar, 38, 0) is not null;
