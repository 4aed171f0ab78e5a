"""What `dbt.*` macros render, near enough for sqlfluff's jinja templater, which knows no dbt."""


def dateadd(datepart: str, interval: object, from_date_or_timestamp: str) -> str:
    """Return a call that looks like the engine's own."""
    return f"dateadd({datepart}, {interval}, {from_date_or_timestamp})"


def datediff(first_date: str, second_date: str, datepart: str) -> str:
    """Return a call that looks like the engine's own."""
    return f"datediff({datepart}, {first_date}, {second_date})"
