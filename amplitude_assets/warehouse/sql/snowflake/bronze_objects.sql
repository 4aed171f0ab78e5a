-- Says whether the schema bronze is there, and how many of its tables.
select
    (select count(*) from information_schema.schemata where lower(schema_name) = 'bronze') as schemas,
    (
        select count(*)
        from information_schema.tables
        where
            lower(table_schema) = 'bronze'
            and lower(table_name) in ('raw_events', 'export_hours', 'rejected_lines', 'merge_ids')
    ) as tables;
