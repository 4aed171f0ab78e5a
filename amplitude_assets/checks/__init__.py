"""The asset checks on single hours and on the whole history.

Only the two checks of `reconciliation` are blocking, since continuing would spread the error. In
the others, ERROR means that someone has to act, WARN that someone should know.
"""
