-- Inserts the rejected lines. Each incoming line is a `RejectedLine` as JSON.
insert into bronze.rejected_lines by name
select
    $project_id as project_id,
    objects.export_hour,
    lines.event ->> '$.member' as source_object,
    cast(lines.event ->> '$.line_number' as bigint) as source_line,
    lines.event ->> '$.reason' as reason,
    lines.event ->> '$.line' as line
from incoming_lines as lines
inner join incoming_objects as objects using (object_number);
