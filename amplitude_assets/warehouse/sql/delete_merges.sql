-- Deletes the merges of one merge file.
delete from bronze.merge_ids
where project_id = $project_id and source_object = $source_object;
