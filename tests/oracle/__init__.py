"""An independent answer to what every gold table must hold, in plain Python from exported lines.

It shares no code with dbt and none with the package: only the standard library, over the bytes that
the Export API sent. Each module says which public definition it follows. Speed is no aim here; that
each step can be checked by reading it is.
"""

from tests.oracle.settings import Funnel, Merge, Settings
from tests.oracle.tables import COLUMNS, gold_tables

__all__ = ["COLUMNS", "Funnel", "Merge", "Settings", "gold_tables"]
