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

-- Most lines have no rival. Finding out by counting is much cheaper than putting all of them in order.
crowded_uuids as (
    select
        project_id,
        uuid
    from judged_rows
    group by
        project_id,
        uuid
    having count(*) > 1
),

crowded_insert_ids as (
    select
        project_id,
        coalesce(device_id, '') as device_id,
        insert_id
    from judged_rows
    where insert_id is not null
    group by
        project_id,
        coalesce(device_id, ''),
        insert_id
    having count(*) > 1
),

contested_rows as (
    select judged_rows.*
    from judged_rows
    left join crowded_uuids
        on
            judged_rows.project_id = crowded_uuids.project_id
            and judged_rows.uuid = crowded_uuids.uuid
    left join crowded_insert_ids
        on
            judged_rows.project_id = crowded_insert_ids.project_id
            and coalesce(judged_rows.device_id, '') = crowded_insert_ids.device_id
            and judged_rows.insert_id = crowded_insert_ids.insert_id
    where
        not judged_rows.is_in_batch
        or crowded_uuids.uuid is not null
        or crowded_insert_ids.insert_id is not null
),

numbered_copies as (
    select
        contested_rows.*,
        {{ epoch_us('contested_rows.server_upload_time') }} as uploaded_us,
        row_number() over (
            partition by contested_rows.project_id, contested_rows.uuid
            order by
                contested_rows.server_upload_time,
                contested_rows.source_object,
                contested_rows.source_line,
                contested_rows.export_hour
        ) as copy_number
    from contested_rows
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
        numbered_copies.*,
        case
            when numbered_copies.copy_number > 1 then 'same_uuid'
            when repeated_inserts.uuid is not null then 'insert_id_7d'
        end as reason,
        coalesce(repeated_inserts.kept_uuid, numbered_copies.uuid) as answering_uuid
    from numbered_copies
    left join repeated_inserts
        on
            numbered_copies.project_id = repeated_inserts.project_id
            and numbered_copies.uuid = repeated_inserts.uuid
)

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
    case when reason is not null then answering_uuid end as kept_uuid,
    reason
from verdicts
where
    case
        when is_in_batch then reason is not null
        when reason is null then is_duplicate or not is_event
        else
            is_event
            or not is_duplicate
            or known_reason <> reason
            or known_kept_uuid <> answering_uuid
    end
