"""The asset checks: what must hold of an hour and of the whole history.

A check is blocking only where going on would spread an error: the two of `reconciliation`. Of the
others, ERROR means that a person has to act, WARN that one should know.
"""
