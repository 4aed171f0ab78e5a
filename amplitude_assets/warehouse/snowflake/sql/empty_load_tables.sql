-- Truncates the temporary tables, which also clears COPY's load history; a delete would not.
truncate table incoming_lines;

truncate table incoming_objects;

truncate table incoming_hours;
