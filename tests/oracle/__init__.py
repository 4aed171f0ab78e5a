"""An independent computation of every gold table in plain Python, from exported lines.

It shares no code with dbt or the package, and uses only the standard library. Each module names
the public definitions that it follows. The code favours readability over speed.
"""

from tests.oracle.settings import Funnel, Merge, Settings
from tests.oracle.tables import COLUMNS, gold_tables

__all__ = ["COLUMNS", "Funnel", "Merge", "Settings", "gold_tables"]
