-- Says which object of the lake each file of the stage is.
insert into incoming_objects (source_file, source_object, export_hour, is_rejected)
values ($source_file, $source_object, $export_hour, $is_rejected);
