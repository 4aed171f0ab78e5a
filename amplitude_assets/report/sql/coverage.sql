-- The first and the newest export hour of the project.
select
    min(export_hour) as first_hour,
    max(export_hour) as newest_hour
from gold.rpt_data_quality
where project_id = {project_id}
