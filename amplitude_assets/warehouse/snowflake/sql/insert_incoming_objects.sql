-- Maps a file of the stage to its object in the lake.
insert into incoming_objects (source_file, source_object, export_hour, is_rejected)
values ($source_file, $source_object, $export_hour, $is_rejected);
