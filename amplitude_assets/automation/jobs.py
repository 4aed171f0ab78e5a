"""The jobs: what people, sensors and the command line start by name."""

from dagster import AssetSelection, define_asset_job

from amplitude_assets.checks import completeness

HOURLY_ASSETS = ("raw_export_zip", "hourly_json_files", "s3_event_objects", "bronze/raw_events")

MAIN_JOB = "main_job"
HOURS_JOB = "hours_job"
MODELS_JOB = "models_job"
WATCH_JOB = "watch_job"

main_job = define_asset_job(
    MAIN_JOB,
    selection=AssetSelection.all(),
    description=(
        "Everything for a range of hours: asks Amplitude, fills the lake and bronze, and builds "
        "the models and the report over all that is new."
    ),
)

hours_job = define_asset_job(
    HOURS_JOB,
    selection=AssetSelection.assets(*HOURLY_ASSETS),
    description="From Amplitude to bronze, for a range of hours.",
)

models_job = define_asset_job(
    MODELS_JOB,
    selection=AssetSelection.all() - AssetSelection.assets(*HOURLY_ASSETS),
    description="Silver, gold and the report, over every load that they have not consumed yet.",
)

watch_job = define_asset_job(
    WATCH_JOB,
    selection=AssetSelection.checks(*completeness.CHECKS),
    description="The checks that fail when nothing happens: hours missing, the newest too old.",
)
