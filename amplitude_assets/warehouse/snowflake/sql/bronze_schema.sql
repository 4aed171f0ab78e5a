-- The loader's schema, where bootstrap has not created it.
create schema if not exists bronze;
