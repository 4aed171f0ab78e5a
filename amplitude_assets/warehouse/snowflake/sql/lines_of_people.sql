-- Counts the lines that have one of some ids. The warehouse fills in {digests}.
with lines as (
    select
        export_hour,
        project_id::varchar as project,
        event:"amplitude_id"::varchar as amplitude_id,
        event:"user_id"::varchar as user_id,
        event:"data":"merged_amplitude_id"::varchar as merged_amplitude_id
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
    sha2(project || '-' || amplitude_id, 256) in ({digests})
    or sha2(project || '-user:' || user_id, 256) in ({digests})
    or sha2(project || '-' || merged_amplitude_id, 256) in ({digests})
group by all;
