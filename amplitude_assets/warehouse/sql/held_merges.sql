-- The merge files that are already loaded.
select distinct source_object
from bronze.merge_ids
where project_id = $project_id;
