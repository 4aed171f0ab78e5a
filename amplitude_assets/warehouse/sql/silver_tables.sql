-- Counts the silver tables that `counts` reads: four once dbt has run, none before.
select count(*) as tables
from information_schema.tables
where
    lower(table_schema) = 'silver'
    and lower(table_name) in ('events', 'event_duplicates', 'consumed_hours', 'touched_hours');
