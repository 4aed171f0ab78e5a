-- The two deduplication rules.
-- Rule 1: keep one line per uuid, the first by (server_upload_time, source_object, source_line).
-- Rule 2: of these, keep one per project, device and insert_id within seven days of the kept one, again the
-- first. A copy after the seven days is kept and starts a window of its own.
--
-- The kept copies of an insert_id are found in ten rounds, each of which doubles their number. So 1,024 are found, enough
-- for an insert_id that has been sent every week for 19 years. This is not a recursive CTE, because Snowflake limits the
-- depth of a recursion and cannot spill it.
--
-- The result has the lines of the batch that are dropped, and the lines of other hours that change between
-- event and duplicate. Every other line of the batch becomes an event; no other line of another hour changes.
{%- set rounds = 10 %}
with dedup_candidates as (
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
    from {{ ref('dedup_candidates') }}
),

-- Most lines have no copy. Counting finds those much faster than sorting all lines does.
shared_uuids as (
    select
        project_id,
        uuid
    from dedup_candidates
    group by
        project_id,
        uuid
    having count(*) > 1
),

shared_insert_ids as (
    select
        project_id,
        coalesce(device_id, '') as device_id,
        insert_id
    from dedup_candidates
    where insert_id is not null
    group by
        project_id,
        coalesce(device_id, ''),
        insert_id
    having count(*) > 1
),

possible_copies as (
    select dedup_candidates.*
    from dedup_candidates
    left join shared_uuids
        on
            dedup_candidates.project_id = shared_uuids.project_id
            and dedup_candidates.uuid = shared_uuids.uuid
    left join shared_insert_ids
        on
            dedup_candidates.project_id = shared_insert_ids.project_id
            and coalesce(dedup_candidates.device_id, '') = shared_insert_ids.device_id
            and dedup_candidates.insert_id = shared_insert_ids.insert_id
    where
        not dedup_candidates.is_in_batch
        or shared_uuids.uuid is not null
        or shared_insert_ids.insert_id is not null
),

numbered_copies as (
    select
        possible_copies.*,
        {{ epoch_us('possible_copies.server_upload_time') }} as uploaded_us,
        row_number() over (
            partition by possible_copies.project_id, possible_copies.uuid
            order by
                possible_copies.server_upload_time,
                possible_copies.source_object,
                possible_copies.source_line,
                possible_copies.export_hour
        ) as copy_number
    from possible_copies
),

-- The events that share an insert_id, in upload order.
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

-- For each event, the next one that is more than seven days (in microseconds) later.
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

-- From each event to the one that is kept next if this one is kept. Few insert_ids have one.
jumps_0 as (
    select
        project_id,
        device_id,
        insert_id,
        place,
        next_place
    from linked_rows
    where next_place is not null
),

-- The first event of an insert_id is always kept.
kept_rows_0 as (
    select
        project_id,
        device_id,
        insert_id,
        place
    from jumps_0
    where place = 1
),
{%- for round in range(1, rounds + 1) %}

kept_rows_{{ round }} as (
    select
        project_id,
        device_id,
        insert_id,
        place
    from kept_rows_{{ round - 1 }}
    union all
    select
        jumps.project_id,
        jumps.device_id,
        jumps.insert_id,
        jumps.next_place as place
    from kept_rows_{{ round - 1 }} as kept_rows
    inner join jumps_{{ round - 1 }} as jumps
        on
            kept_rows.project_id = jumps.project_id
            and kept_rows.device_id = jumps.device_id
            and kept_rows.insert_id = jumps.insert_id
            and kept_rows.place = jumps.place
),
{%- if not loop.last %}

jumps_{{ round }} as (
    select
        jumps.project_id,
        jumps.device_id,
        jumps.insert_id,
        jumps.place,
        further_jumps.next_place
    from jumps_{{ round - 1 }} as jumps
    inner join jumps_{{ round - 1 }} as further_jumps
        on
            jumps.project_id = further_jumps.project_id
            and jumps.device_id = further_jumps.device_id
            and jumps.insert_id = further_jumps.insert_id
            and jumps.next_place = further_jumps.place
),
{%- endif %}
{%- endfor %}

windowed_rows as (
    select
        linked_rows.project_id,
        linked_rows.device_id,
        linked_rows.insert_id,
        linked_rows.uuid,
        linked_rows.place,
        coalesce(
            max(kept_rows.place) over (
                partition by linked_rows.project_id, linked_rows.device_id, linked_rows.insert_id
                order by linked_rows.place
                rows between unbounded preceding and current row
            ),
            1
        ) as kept_place
    from linked_rows
    left join kept_rows_{{ rounds }} as kept_rows
        on
            linked_rows.project_id = kept_rows.project_id
            and linked_rows.device_id = kept_rows.device_id
            and linked_rows.insert_id = kept_rows.insert_id
            and linked_rows.place = kept_rows.place
),

repeated_inserts as (
    select
        windowed_rows.project_id,
        windowed_rows.uuid,
        kept.uuid as kept_uuid
    from windowed_rows
    inner join linked_rows as kept
        on
            windowed_rows.project_id = kept.project_id
            and windowed_rows.device_id = kept.device_id
            and windowed_rows.insert_id = kept.insert_id
            and windowed_rows.kept_place = kept.place
    where windowed_rows.place <> windowed_rows.kept_place
),

resolved_copies as (
    select
        numbered_copies.*,
        case
            when numbered_copies.copy_number > 1 then 'same_uuid'
            when repeated_inserts.uuid is not null then 'insert_id_7d'
        end as reason,
        coalesce(repeated_inserts.kept_uuid, numbered_copies.uuid) as survivor_uuid
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
    case when reason is not null then survivor_uuid end as kept_uuid,
    reason
from resolved_copies
where
    case
        when is_in_batch then reason is not null
        when reason is null then is_duplicate or not is_event
        else
            is_event
            or not is_duplicate
            or known_reason <> reason
            or known_kept_uuid <> survivor_uuid
    end
