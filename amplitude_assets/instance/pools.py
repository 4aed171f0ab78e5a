"""The pools that limit how many steps use Amplitude and the warehouse at once."""

AMPLITUDE_POOL = "amplitude_api"
WAREHOUSE_POOL = "warehouse"
