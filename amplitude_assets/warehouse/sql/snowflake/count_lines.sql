-- Counts the lines that were copied from each file.
select
    source_file,
    count(*) as lines
from incoming_lines
group by source_file;
