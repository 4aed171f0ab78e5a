"""Export `instance.sqlite_storage` under its former name, which older `dagster.yaml` files use."""

from amplitude_assets.instance.sqlite_storage import BatchingInstance

__all__ = ["BatchingInstance"]
