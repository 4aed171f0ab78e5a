-- The working tables of a load. Temporary: each session has its own, dropped when it ends.
create or replace temporary table incoming_lines (
    source_file varchar not null,
    source_line number(38, 0) not null,
    line variant not null
);

create or replace temporary table incoming_objects (
    source_file varchar not null,
    source_object varchar not null,
    export_hour timestamp_ntz(6),
    is_rejected boolean not null
);

create or replace temporary table incoming_hours (
    export_hour timestamp_ntz(6) not null,
    status varchar not null,
    objects number(38, 0) not null,
    bytes number(38, 0) not null,
    lines number(38, 0) not null,
    rejected_lines number(38, 0) not null,
    digest varchar not null,
    fetched_at timestamp_ntz(6) not null,
    events number(38, 0) not null,
    is_confirmed boolean not null,
    events_in_question number(38, 0),
    in_question_since timestamp_ntz(6)
);
