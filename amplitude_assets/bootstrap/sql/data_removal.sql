-- Drops the data: all tables of bronze, silver and gold.
drop database if exists {database};
