-- The two rules of de-duplication.
-- Rule 1: one line per uuid, the first by (server_upload_time, source_object, source_line).
-- Rule 2: of these, one per project, device and insert_id within seven days of the kept one, again the
-- first. A later copy is kept, and seven days of its own begin with it.
--
-- What comes out are the lines of the batch that are dropped, and the lines of other hours whose place
-- changes. Every other line of the batch is kept; every other line at all stays where it is.
with recursive judged_rows as (
    select
        project_id,
        export_hour,
        source_object,
        source_line,
        uuid,
        insert_id,
        device_id,
        user_id,
        amplitude_id,
        merged_amplitude_id,
        event_time,
        event_date,
        server_upload_time,
        is_in_batch,
        is_event,
        is_duplicate,
        known_kept_uuid,
        known_reason
    from {{ ref('judged_rows') }}
),

numbered_copies as (
    select
        project_id,
        export_hour,
        source_object,
        source_line,
        uuid,
        insert_id,
        device_id,
        {{ epoch_us('server_upload_time') }} as uploaded_us,
        row_number() over (
            partition by project_id, uuid order by server_upload_time, source_object, source_line, export_hour
        ) as copy_number
    from judged_rows
),

-- The events that share an insert_id, in the order of their arrival.
insert_id_rows as (
    select
        project_id,
        coalesce(device_id, '') as device_id,
        insert_id,
        uuid,
        uploaded_us,
        row_number() over (
            partition by project_id, coalesce(device_id, ''), insert_id
            order by uploaded_us, source_object, source_line, export_hour
        ) as place
    from numbered_copies
    where copy_number = 1 and insert_id is not null
    qualify count(*) over (partition by project_id, coalesce(device_id, ''), insert_id) > 1
),

-- For each, the next one that is more than seven days (in microseconds) later.
linked_rows as (
    select
        project_id,
        device_id,
        insert_id,
        uuid,
        place,
        min(place) over (
            partition by project_id, device_id, insert_id
            order by uploaded_us
            range between 604800000001 following and unbounded following
        ) as next_place
    from insert_id_rows
),

kept_rows as (
    select
        project_id,
        device_id,
        insert_id,
        place,
        next_place
    from linked_rows
    where place = 1
    union all
    select
        linked_rows.project_id,
        linked_rows.device_id,
        linked_rows.insert_id,
        linked_rows.place,
        linked_rows.next_place
    from kept_rows
    inner join linked_rows
        on
            kept_rows.project_id = linked_rows.project_id
            and kept_rows.device_id = linked_rows.device_id
            and kept_rows.insert_id = linked_rows.insert_id
            and kept_rows.next_place = linked_rows.place
),

answered_rows as (
    select
        linked_rows.project_id,
        linked_rows.device_id,
        linked_rows.insert_id,
        linked_rows.uuid,
        linked_rows.place,
        max(kept_rows.place) over (
            partition by linked_rows.project_id, linked_rows.device_id, linked_rows.insert_id
            order by linked_rows.place
            rows between unbounded preceding and current row
        ) as kept_place
    from linked_rows
    left join kept_rows
        on
            linked_rows.project_id = kept_rows.project_id
            and linked_rows.device_id = kept_rows.device_id
            and linked_rows.insert_id = kept_rows.insert_id
            and linked_rows.place = kept_rows.place
),

repeated_inserts as (
    select
        answered_rows.project_id,
        answered_rows.uuid,
        kept.uuid as kept_uuid
    from answered_rows
    inner join linked_rows as kept
        on
            answered_rows.project_id = kept.project_id
            and answered_rows.device_id = kept.device_id
            and answered_rows.insert_id = kept.insert_id
            and answered_rows.kept_place = kept.place
    where answered_rows.place <> answered_rows.kept_place
),

verdicts as (
    select
        numbered_copies.project_id,
        numbered_copies.export_hour,
        numbered_copies.source_object,
        numbered_copies.source_line,
        case
            when numbered_copies.copy_number > 1 then 'same_uuid'
            when repeated_inserts.uuid is not null then 'insert_id_7d'
        end as reason,
        coalesce(repeated_inserts.kept_uuid, numbered_copies.uuid) as kept_uuid
    from numbered_copies
    left join repeated_inserts
        on
            numbered_copies.project_id = repeated_inserts.project_id
            and numbered_copies.uuid = repeated_inserts.uuid
)

select
    judged_rows.project_id,
    judged_rows.export_hour,
    judged_rows.source_object,
    judged_rows.source_line,
    judged_rows.uuid,
    judged_rows.insert_id,
    judged_rows.device_id,
    judged_rows.user_id,
    judged_rows.amplitude_id,
    judged_rows.merged_amplitude_id,
    judged_rows.event_time,
    judged_rows.event_date,
    judged_rows.server_upload_time,
    judged_rows.is_in_batch,
    case when verdicts.reason is not null then verdicts.kept_uuid end as kept_uuid,
    verdicts.reason
from judged_rows
inner join verdicts
    on
        judged_rows.project_id = verdicts.project_id
        and judged_rows.export_hour = verdicts.export_hour
        and judged_rows.source_object = verdicts.source_object
        and judged_rows.source_line = verdicts.source_line
where
    case
        when judged_rows.is_in_batch then verdicts.reason is not null
        when verdicts.reason is null then judged_rows.is_duplicate or not judged_rows.is_event
        else
            judged_rows.is_event
            or not judged_rows.is_duplicate
            or judged_rows.known_reason <> verdicts.reason
            or judged_rows.known_kept_uuid <> verdicts.kept_uuid
    end
