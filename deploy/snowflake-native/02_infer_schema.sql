-- A table with the columns that the files have, found by Snowflake itself: INFER_SCHEMA over the stage.
-- Tested: the grammar of every statement, nothing else. It needs an account to run; see README.md.
-- Bronze is not made this way on purpose: its one VARIANT column takes any event, today's and next year's.
create schema if not exists native;

-- What Snowflake finds in a day's files.
select *
from table(
    infer_schema(
        location => '@bronze.lake/events/187520/2026-09-01/',
        file_format => 'bronze.amplitude_json'
    )
);

-- A table of these columns, which takes new ones as they appear.
create table if not exists native.inferred_events
using template (
    select array_agg(object_construct(*))
    from table(
        infer_schema(
            location => '@bronze.lake/events/187520/2026-09-01/',
            file_format => 'bronze.amplitude_json'
        )
    )
)
enable_schema_evolution = true;

copy into native.inferred_events
from @bronze.lake/events/187520/2026-09-01/
file_format = (format_name = 'bronze.amplitude_json')
match_by_column_name = case_insensitive;
