-- Counts the copied lines of each file.
select
    source_file,
    count(*) as lines
from incoming_lines
group by source_file;
