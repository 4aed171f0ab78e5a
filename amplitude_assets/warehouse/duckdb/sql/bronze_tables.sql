-- The bronze tables in DuckDB. Times are UTC without zone.
-- There are no primary keys: DuckDB also checks them against rows deleted by the same transaction,
-- as replacing an hour does. The loader ensures uniqueness.
create schema if not exists bronze;

-- One row per exported line. The event is JSON text, which preserves the bytes that Amplitude sent.
create table if not exists bronze.raw_events (
    project_id bigint not null,
    export_hour timestamp not null,
    source_object varchar not null,
    source_line bigint not null,
    load_id varchar not null,
    loaded_at timestamp not null,
    event json not null
);

-- One row per project and hour ever requested. `events_in_question` is the number of events that a
-- later, unconfirmed delivery lacks; null without such a delivery.
create table if not exists bronze.export_hours (
    project_id bigint not null,
    export_hour timestamp not null,
    status varchar not null,
    objects bigint not null,
    bytes bigint not null,
    lines bigint not null,
    rejected_lines bigint not null,
    digest varchar not null,
    load_id varchar not null,
    fetched_at timestamp not null,
    loaded_at timestamp not null,
    events_in_question bigint,
    in_question_since timestamp
);

-- Migrates tables that lack these columns.
alter table bronze.export_hours add column if not exists events_in_question bigint;
alter table bronze.export_hours add column if not exists in_question_since timestamp;

-- One row per line that is not a JSON object. `source_line` counts in Amplitude's own file.
create table if not exists bronze.rejected_lines (
    project_id bigint not null,
    export_hour timestamp not null,
    source_object varchar not null,
    source_line bigint not null,
    reason varchar not null,
    line varchar not null
);

-- One row per merge from Amplitude's S3 export; the Export API does not deliver merges.
create table if not exists bronze.merge_ids (
    project_id bigint not null,
    source_object varchar not null,
    source_line bigint not null,
    amplitude_id bigint not null,
    merged_amplitude_id bigint not null,
    merge_event_time timestamp,
    merge_server_time timestamp,
    loaded_at timestamp not null
);
