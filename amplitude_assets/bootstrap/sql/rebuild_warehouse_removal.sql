-- Drops the warehouse of full rebuilds.
drop warehouse if exists {rebuild_warehouse};
