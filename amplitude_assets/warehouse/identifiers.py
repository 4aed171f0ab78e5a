"""Validate identifiers that are inserted into SQL, which cannot be parameters."""

import re

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,254}")


def identifier(text: str, parts: int = 1) -> str:
    """Return `text` if it is an unquoted SQL name of at most `parts` parts, separated by dots.

    Raises ValueError, whose message describes a valid name.
    """
    names = text.split(".")
    if len(names) > parts or not all(_NAME.fullmatch(name) for name in names):
        dotted = f", with at most {parts - 1} dots between parts" if parts > 1 else ""
        raise ValueError(
            f"{text!r} is not a valid unquoted SQL name: letters, digits and _, "
            f"not starting with a digit{dotted}"
        )
    return text
