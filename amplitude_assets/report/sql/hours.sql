select
    export_hour,
    status,
    lines,
    rejected_lines,
    silver_events,
    duplicates,
    is_reconciled,
    lag_p50_seconds,
    lag_p95_seconds
from gold.rpt_data_quality
where
    project_id = {project_id}
    and export_hour >= timestamp '{first_hour}'
order by export_hour asc
