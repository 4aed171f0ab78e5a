"""The asset keys of the Python assets; dbt models take theirs from dbt."""

from dagster import AssetKey

RAW_EXPORT_ZIP = AssetKey("raw_export_zip")
HOURLY_JSON_FILES = AssetKey("hourly_json_files")
S3_EVENT_OBJECTS = AssetKey("s3_event_objects")
RAW_EVENTS = AssetKey(["bronze", "raw_events"])
OVERVIEW_REPORT = AssetKey("overview_report")

# In the order in which an hour passes through them.
HOURLY_ASSETS = (RAW_EXPORT_ZIP, HOURLY_JSON_FILES, S3_EVENT_OBJECTS, RAW_EVENTS)
