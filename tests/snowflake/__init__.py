"""Snowflake, in four rungs of evidence, each a file:

a. `test_a_grammar.py`: every statement is Snowflake's SQL, by a grammar of it.
b. `test_b_wire.py`: the loader, dbt and the assets through the real connector, to fakesnow.
c. `test_c_same_as_duckdb.py`: the same lake through both engines gives the same tables.
d. The tests of b and c once more, `[live]` in their names, on a live account where one is set.
"""
