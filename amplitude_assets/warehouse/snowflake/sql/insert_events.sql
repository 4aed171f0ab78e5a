-- Inserts the copied lines, each with its object. Sorted, so that a query of one hour reads few micro-partitions.
insert into bronze.raw_events (
    project_id, export_hour, source_object, source_line, load_id, loaded_at, event
)
select
    $project_id as project_id,
    objects.export_hour,
    objects.source_object,
    lines.source_line,
    $load_id as load_id,
    $loaded_at as loaded_at,
    lines.line as event
from incoming_lines as lines
inner join incoming_objects as objects on lines.source_file = objects.source_file
where not objects.is_rejected
order by objects.export_hour;
