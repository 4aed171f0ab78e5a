-- Who was merged into whom, followed to the id that survives.
select
    cast(null as bigint) as project_id,
    cast(null as bigint) as amplitude_id,
    cast(null as bigint) as surviving_amplitude_id
where false
