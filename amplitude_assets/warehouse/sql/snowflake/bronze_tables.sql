-- The bronze tables as Snowflake keeps them. Times are UTC without zone.
-- Not transient: Time Travel is a second way back, beside the lake.

-- One row per exported line.
create table if not exists bronze.raw_events (
    project_id number(38, 0) not null,
    export_hour timestamp_ntz(6) not null,
    source_object varchar not null,
    source_line number(38, 0) not null,
    load_id varchar not null,
    loaded_at timestamp_ntz(6) not null,
    event variant not null
);

-- One row per project and hour ever asked for.
create table if not exists bronze.export_hours (
    project_id number(38, 0) not null,
    export_hour timestamp_ntz(6) not null,
    status varchar not null,
    objects number(38, 0) not null,
    bytes number(38, 0) not null,
    lines number(38, 0) not null,
    rejected_lines number(38, 0) not null,
    digest varchar not null,
    load_id varchar not null,
    fetched_at timestamp_ntz(6) not null,
    loaded_at timestamp_ntz(6) not null
);

-- One row per line that is not a JSON object. `source_line` counts in the file Amplitude sent.
create table if not exists bronze.rejected_lines (
    project_id number(38, 0) not null,
    export_hour timestamp_ntz(6) not null,
    source_object varchar not null,
    source_line number(38, 0) not null,
    reason varchar not null,
    line varchar not null
);

-- One row per merge that Amplitude's own S3 export wrote: the Export API has none of them.
create table if not exists bronze.merge_ids (
    project_id number(38, 0) not null,
    source_object varchar not null,
    source_line number(38, 0) not null,
    amplitude_id number(38, 0) not null,
    merged_amplitude_id number(38, 0) not null,
    merge_event_time timestamp_ntz(6),
    merge_server_time timestamp_ntz(6),
    loaded_at timestamp_ntz(6) not null
);
