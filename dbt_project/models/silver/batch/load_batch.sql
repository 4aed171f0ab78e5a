-- The hours that this run consumes: every load in the ledger that has not been consumed under the current
-- settings, and consumed hours that are no longer in the ledger.
with ledger as (
    select
        project_id,
        export_hour,
        load_id
    from {{ source('bronze', 'export_hours') }}
),

consumed_hours as (
    select
        project_id,
        export_hour,
        load_id
    from {{ ref('consumed_hours') }}
    where settings = '{{ settings_fingerprint() }}'
)

select
    coalesce(ledger.project_id, consumed_hours.project_id) as project_id,
    coalesce(ledger.export_hour, consumed_hours.export_hour) as export_hour,
    ledger.load_id
from ledger
full outer join consumed_hours
    on
        ledger.project_id = consumed_hours.project_id
        and ledger.export_hour = consumed_hours.export_hour
where ledger.load_id is distinct from consumed_hours.load_id
