-- What computes, and what it may cost. A warehouse is billed while it runs, for a minute at least.
create warehouse if not exists {warehouse}
    warehouse_size = xsmall
    auto_suspend = 60
    auto_resume = true
    initially_suspended = true
    comment = 'Loads and models Amplitude events';

create warehouse if not exists {reader_warehouse}
    warehouse_size = xsmall
    auto_suspend = 60
    auto_resume = true
    initially_suspended = true
    comment = 'Queries of people over the Amplitude models';

-- A month's credits, after which both are suspended. It does not bound what runs without a warehouse.
create resource monitor if not exists {monitor} with
    credit_quota = {credit_quota}
    frequency = monthly
    start_timestamp = immediately
    triggers
        on 75 percent do notify
        on 100 percent do suspend
        on 110 percent do suspend_immediate;

alter warehouse {warehouse} set
    statement_timeout_in_seconds = 3600
    resource_monitor = {monitor};

alter warehouse {reader_warehouse} set
    statement_timeout_in_seconds = 600
    resource_monitor = {monitor};
