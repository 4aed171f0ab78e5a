"""The jobs that users, sensors and the command line start by name."""

from dagster import AssetSelection, define_asset_job

from amplitude_assets.assets.keys import HOURLY_ASSETS
from amplitude_assets.checks import completeness
from amplitude_assets.checks.ledger import FROM_RECORDS

MAIN_JOB = "main_job"
HOURS_JOB = "hours_job"
MODELS_JOB = "models_job"
WATCH_JOB = "watch_job"

main_job = define_asset_job(
    MAIN_JOB,
    selection=AssetSelection.all(),
    description=(
        "All assets for a range of hours: exports them from Amplitude to the lake and bronze, and "
        "builds the models and the report over every new load."
    ),
)

hours_job = define_asset_job(
    HOURS_JOB,
    selection=AssetSelection.assets(*HOURLY_ASSETS),
    description="Exports a range of hours from Amplitude to the lake and bronze.",
)

models_job = define_asset_job(
    MODELS_JOB,
    selection=AssetSelection.all() - AssetSelection.assets(*HOURLY_ASSETS),
    description="Builds silver, gold and the report over every load that is new to them.",
)

watch_job = define_asset_job(
    WATCH_JOB,
    selection=AssetSelection.checks(*completeness.CHECKS),
    tags={FROM_RECORDS: "true"},
    description=(
        "Runs the checks for missing hours and for a newest hour that is too old, over Dagster's "
        "own records; it opens no warehouse."
    ),
)
