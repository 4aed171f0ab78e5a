-- Every exported line, flattened and typed. The only model that parses lines.
with raw_events as (
    select
        project_id,
        export_hour,
        source_object,
        source_line,
        load_id,
        loaded_at,
        {{ parse_exported('event') }} as event
    from {{ source('bronze', 'raw_events') }}
)

select
    {% for column in exported_columns() -%}
    {{ exported_value('event', column) }} as {{ column.name }},
    {% endfor -%}
    project_id,
    export_hour,
    source_object,
    source_line,
    load_id,
    loaded_at
from raw_events
