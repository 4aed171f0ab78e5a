-- Copies the lines of some files of the stage. The loader fills in {stage} and {files}.
-- ALLOW_DUPLICATE: a duplicate key in a JSON object must not fail an hour.
copy into incoming_lines (source_file, source_line, line)
from (
    select
        metadata$filename,
        metadata$file_row_number,
        $1
    from @{stage}
)
files = ({files})
file_format = (type = json, compression = gzip, allow_duplicate = true)
on_error = abort_statement;
