"""Snowflake, tested on four levels, one file each:

a. `test_a_grammar.py`: every statement matches a grammar of Snowflake's SQL.
b. `test_b_wire.py`: the loader, dbt and the assets through the real connector, to fakesnow.
c. `test_c_same_as_duckdb.py`: the same lake through both engines gives the same tables.
d. The tests of b and c with `[live]` in their names, on a live account if one is configured.
"""
