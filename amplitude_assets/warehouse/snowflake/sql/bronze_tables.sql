-- The bronze tables in Snowflake. Times are UTC without zone.
-- Not transient: Time Travel allows recovery without reloading from the lake.

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

-- One row per project and hour ever requested. `events_in_question` is the number of events that a
-- later, unconfirmed delivery lacks; null without such a delivery.
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
    loaded_at timestamp_ntz(6) not null,
    events_in_question number(38, 0),
    in_question_since timestamp_ntz(6)
);

-- Migrates tables that lack these columns.
alter table bronze.export_hours add column if not exists events_in_question number(38, 0);
alter table bronze.export_hours add column if not exists in_question_since timestamp_ntz(6);

-- One row per line that is not a JSON object. `source_line` counts in Amplitude's own file.
create table if not exists bronze.rejected_lines (
    project_id number(38, 0) not null,
    export_hour timestamp_ntz(6) not null,
    source_object varchar not null,
    source_line number(38, 0) not null,
    reason varchar not null,
    line varchar not null
);

-- One row per merge from Amplitude's S3 export; the Export API does not deliver merges.
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
