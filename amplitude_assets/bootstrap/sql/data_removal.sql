-- The data: every table of bronze, silver and gold.
drop database if exists {database};
