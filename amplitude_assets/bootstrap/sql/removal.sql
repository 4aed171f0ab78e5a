-- Drops everything except the data. Missing objects are skipped.
drop stage if exists {stage};

drop storage integration if exists {integration};

drop user if exists {user};

drop user if exists {reader};

drop role if exists {role};

drop role if exists {loader};

drop role if exists {transformer};

drop role if exists {reader};

drop warehouse if exists {warehouse};

drop warehouse if exists {reader_warehouse};

drop resource monitor if exists {monitor};

drop resource monitor if exists {reader_monitor};
