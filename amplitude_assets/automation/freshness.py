"""How fresh the tables have to be, for the health that Dagster's UI shows of an asset.

A freshness policy knows when an asset was last materialised and nothing of hours: a backfill of
last year looks fresh to it. The check `newest_hour_is_recent` looks at the hours.
"""

from datetime import timedelta

from dagster import AssetsDefinition, FreshnessPolicy, apply_freshness_policy

# New hours come every hour; the limits are those of the check `newest_hour_is_recent`.
LOADED = FreshnessPolicy.time_window(
    warn_window=timedelta(hours=3), fail_window=timedelta(hours=24)
)
# The models follow a load within the hour.
BUILT = FreshnessPolicy.time_window(warn_window=timedelta(hours=4), fail_window=timedelta(hours=25))


def with_freshness(assets: AssetsDefinition, policy: FreshnessPolicy) -> AssetsDefinition:
    """Return the assets, held to a policy."""
    return assets.map_asset_specs(lambda spec: apply_freshness_policy(spec, policy))
