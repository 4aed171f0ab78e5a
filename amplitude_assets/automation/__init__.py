"""Jobs, schedules, sensors and automation conditions, each named and documented."""
