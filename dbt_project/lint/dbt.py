"""Approximate the `dbt.*` macros for sqlfluff's jinja templater, which does not provide them."""


def dateadd(datepart: str, interval: object, from_date_or_timestamp: str) -> str:
    """Return the engine's dateadd call."""
    return f"dateadd({datepart}, {interval}, {from_date_or_timestamp})"


def datediff(first_date: str, second_date: str, datepart: str) -> str:
    """Return the engine's datediff call."""
    return f"datediff({datepart}, {first_date}, {second_date})"
