-- Counts the schema bronze (0 or 1), its tables, and those of its columns that were added later.
select
    (select count(*) from information_schema.schemata where lower(schema_name) = 'bronze') as schemas,
    (
        select count(*)
        from information_schema.tables
        where
            lower(table_schema) = 'bronze'
            and lower(table_name) in ('raw_events', 'export_hours', 'rejected_lines', 'merge_ids')
    ) as tables,
    (
        select count(*)
        from information_schema.columns
        where
            lower(table_schema) = 'bronze'
            and lower(table_name) = 'export_hours'
            and lower(column_name) in ('events_in_question', 'in_question_since')
    ) as later_columns;
