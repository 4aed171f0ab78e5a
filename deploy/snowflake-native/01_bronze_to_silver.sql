-- Bronze to silver inside Snowflake, for those who want no dbt: a stream, a task and a procedure.
-- Tested: the grammar of every statement, nothing else. It needs an account to run; see README.md.
-- Run as the role that owns bronze, in the database of the lake.
create schema if not exists native;

-- What changed in bronze since the stream was last consumed. Replaced hours appear as deletes and inserts.
create stream if not exists native.raw_events_changes on table bronze.raw_events;

create table if not exists native.events (
    project_id number(38, 0) not null,
    uuid varchar not null,
    amplitude_id number(38, 0),
    user_id varchar,
    device_id varchar,
    session_id number(38, 0),
    insert_id varchar,
    event_type varchar,
    event_time timestamp_ntz(6),
    client_event_time timestamp_ntz(6),
    server_upload_time timestamp_ntz(6),
    event_properties variant,
    user_properties variant,
    export_hour timestamp_ntz(6) not null,
    source_object varchar not null,
    source_line number(38, 0) not null
);

create table if not exists native.touched_hours (
    project_id number(38, 0) not null,
    export_hour timestamp_ntz(6) not null
);

-- Rebuilds the hours that the stream touched: all lines of theirs, one row per uuid, the first to arrive.
-- It knows nothing of $insert_id, of merges and of sessions: for these there is the dbt project.
create or replace procedure native.consume_raw_events()
returns varchar
language sql
as
$$
begin
    begin transaction;

    -- Reading the stream in a committed insert is what moves it on.
    insert overwrite into native.touched_hours
    select distinct project_id, export_hour
    from native.raw_events_changes;

    delete from native.events
    where (project_id, export_hour) in (select project_id, export_hour from native.touched_hours);

    insert into native.events
    select
        project_id,
        event:"uuid"::varchar as uuid,
        try_to_number(event:"amplitude_id"::varchar) as amplitude_id,
        event:"user_id"::varchar as user_id,
        event:"device_id"::varchar as device_id,
        nullif(try_to_number(event:"session_id"::varchar), -1) as session_id,
        event:"$insert_id"::varchar as insert_id,
        event:"event_type"::varchar as event_type,
        try_to_timestamp_ntz(event:"event_time"::varchar) as event_time,
        try_to_timestamp_ntz(event:"client_event_time"::varchar) as client_event_time,
        try_to_timestamp_ntz(event:"server_upload_time"::varchar) as server_upload_time,
        event:"event_properties" as event_properties,
        event:"user_properties" as user_properties,
        export_hour,
        source_object,
        source_line
    from bronze.raw_events
    where
        (project_id, export_hour) in (select project_id, export_hour from native.touched_hours)
        and event:"uuid" is not null
    qualify row_number() over (
        partition by project_id, event:"uuid"::varchar
        order by event:"server_upload_time"::varchar, source_object, source_line
    ) = 1;

    commit;
    return 'done';
end;
$$;

-- Every five minutes while there is something to do. Billed by the second of the warehouse.
create task if not exists native.consume_raw_events_task
    warehouse = AMPLITUDE_WH
    schedule = '5 minutes'
    when system$stream_has_data('native.raw_events_changes')
    as
    call native.consume_raw_events();

alter task native.consume_raw_events_task resume;
