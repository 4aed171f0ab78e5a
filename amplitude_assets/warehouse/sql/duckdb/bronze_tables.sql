-- The bronze tables as DuckDB keeps them. Times are UTC without zone.
-- No primary keys: DuckDB checks them against rows that the same transaction has deleted,
-- which a replacement by the hour does all the time. The loader keeps them unique.
create schema if not exists bronze;

-- One row per exported line. The event is JSON text: it gives back the bytes that came.
create table if not exists bronze.raw_events (
    project_id bigint not null,
    export_hour timestamp not null,
    source_object varchar not null,
    source_line bigint not null,
    load_id varchar not null,
    loaded_at timestamp not null,
    event json not null
);

-- One row per project and hour ever asked for.
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
    loaded_at timestamp not null
);

-- One row per line that is not a JSON object. `source_line` counts in the file Amplitude sent.
create table if not exists bronze.rejected_lines (
    project_id bigint not null,
    export_hour timestamp not null,
    source_object varchar not null,
    source_line bigint not null,
    reason varchar not null,
    line varchar not null
);

-- One row per merge that Amplitude's own S3 export wrote: the Export API has none of them.
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
