"""Freshness policies, for the health that Dagster's UI shows of an asset.

A freshness policy looks at the time of the last materialization and not at hours, so a backfill of
last year looks fresh. The check `newest_hour_is_recent` compares the hours themselves.
"""

from datetime import timedelta

from dagster import AssetsDefinition, FreshnessPolicy, apply_freshness_policy

# New hours come every hour; the limits are those of the check `newest_hour_is_recent`.
LOADED = FreshnessPolicy.time_window(
    warn_window=timedelta(hours=3), fail_window=timedelta(hours=24)
)


def built(cadence: timedelta) -> FreshnessPolicy:
    """Return the policy of what follows the models, which run within an hour of being due."""
    return FreshnessPolicy.time_window(
        warn_window=timedelta(hours=4) + cadence, fail_window=timedelta(hours=25) + cadence
    )


def with_freshness(assets: AssetsDefinition, policy: FreshnessPolicy) -> AssetsDefinition:
    """Return the assets with a freshness policy."""
    return assets.map_asset_specs(lambda spec: apply_freshness_policy(spec, policy))
