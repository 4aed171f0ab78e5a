-- Inserts the rejected lines. Each incoming line is a `RejectedLine` as JSON.
insert into bronze.rejected_lines (
    project_id, export_hour, source_object, source_line, reason, line
)
select
    $project_id as project_id,
    objects.export_hour,
    lines.line:"member"::varchar as source_object,
    lines.line:"line_number"::number(38, 0) as source_line,
    lines.line:"reason"::varchar as reason,
    lines.line:"line"::varchar as line
from incoming_lines as lines
inner join incoming_objects as objects on lines.source_file = objects.source_file
where objects.is_rejected;
