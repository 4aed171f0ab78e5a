-- The warehouses, and the limit of their cost. A warehouse is billed while it runs, for at least a minute.
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
    comment = 'Ad-hoc queries on the Amplitude models';

-- The credits a month, after which a warehouse is suspended. Each has its own monitor, so that readers cannot stop the
-- pipeline. Serverless features are not limited.
create resource monitor if not exists {monitor} with
    credit_quota = {credit_quota}
    frequency = monthly
    start_timestamp = immediately
    triggers
        on 75 percent do notify
        on 100 percent do suspend
        on 110 percent do suspend_immediate;

create resource monitor if not exists {reader_monitor} with
    credit_quota = {reader_credit_quota}
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
    resource_monitor = {reader_monitor};
