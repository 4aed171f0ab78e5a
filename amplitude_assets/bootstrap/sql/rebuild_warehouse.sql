-- The warehouse of full rebuilds: larger, so that they end sooner, and limited by the same monitor.
create warehouse if not exists {rebuild_warehouse}
    warehouse_size = medium
    auto_suspend = 60
    auto_resume = true
    initially_suspended = true
    comment = 'Rebuilds all models of Amplitude events';

alter warehouse {rebuild_warehouse} set
    statement_timeout_in_seconds = 14400
    resource_monitor = {monitor};

grant usage, operate on warehouse {rebuild_warehouse} to role {transformer};
