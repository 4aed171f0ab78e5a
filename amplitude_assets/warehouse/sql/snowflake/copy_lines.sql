-- Copies the lines of some files of the stage. {stage} and {files} are put in by the loader.
-- ALLOW_DUPLICATE: a key that stands twice in an object is odd, but no reason to fail an hour.
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
