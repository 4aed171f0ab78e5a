-- Counts the lines that have one of some ids. The warehouse fills in {digests}.
with lines as (
    select
        export_hour,
        cast(project_id as varchar) as project,
        event ->> '$.amplitude_id' as amplitude_id,
        event ->> '$.user_id' as user_id,
        event ->> '$.data.merged_amplitude_id' as merged_amplitude_id
    from bronze.raw_events
    where project_id = $project_id
)

select
    export_hour,
    amplitude_id,
    user_id,
    merged_amplitude_id,
    count(*) as lines
from lines
where
    sha256(project || '-' || amplitude_id) in ({digests})
    or sha256(project || '-user:' || user_id) in ({digests})
    or sha256(project || '-' || merged_amplitude_id) in ({digests})
group by all;
