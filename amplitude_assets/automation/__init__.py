"""Jobs, schedules, sensors, alerts and maintenance."""
