-- Inserts the merges of merge files, whose times are milliseconds since 1970.
insert into bronze.merge_ids by name
select
    $project_id as project_id,
    objects.source_object,
    lines.source_line,
    try_cast(lines.event ->> '$.amplitude_id' as bigint) as amplitude_id,
    try_cast(lines.event ->> '$.merged_amplitude_id' as bigint) as merged_amplitude_id,
    epoch_ms(try_cast(lines.event ->> '$.merge_time' as bigint)) as merge_event_time,
    epoch_ms(try_cast(lines.event ->> '$.merge_server_time' as bigint)) as merge_server_time,
    $loaded_at as loaded_at
from incoming_lines as lines
inner join incoming_objects as objects using (object_number)
where
    try_cast(lines.event ->> '$.amplitude_id' as bigint) is not null
    and try_cast(lines.event ->> '$.merged_amplitude_id' as bigint) is not null;
