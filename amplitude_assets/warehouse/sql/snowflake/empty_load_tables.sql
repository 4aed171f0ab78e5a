-- Empties a load's tables. Unlike a delete, it also forgets which files were copied.
truncate table incoming_lines;

truncate table incoming_objects;

truncate table incoming_hours;
