-- The schema that the loader writes in, where bootstrap has not made it.
create schema if not exists bronze;
