-- The merge files that were loaded already.
select distinct source_object
from bronze.merge_ids
where project_id = $project_id;
