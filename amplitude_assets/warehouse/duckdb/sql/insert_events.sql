-- Inserts the lines of `incoming_lines`, each with its object.
insert into bronze.raw_events by name
select
    $project_id as project_id,
    objects.export_hour,
    objects.source_object,
    lines.source_line,
    $load_id as load_id,
    $loaded_at as loaded_at,
    lines.event
from incoming_lines as lines
inner join incoming_objects as objects using (object_number);
