"""Names that go into SQL as they are: checked, since an identifier cannot be a parameter."""

import re

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,254}")


def identifier(text: str, parts: int = 1) -> str:
    """Return a name of at most so many parts, with dots between them, if it needs no quotes.

    Raises ValueError, which says what would be right.
    """
    names = text.split(".")
    if len(names) > parts or not all(_NAME.fullmatch(name) for name in names):
        dotted = f", with at most {parts - 1} dots between parts" if parts > 1 else ""
        raise ValueError(
            f"{text!r} is not a name that SQL takes without quotes: letters, digits and _, "
            f"not a digit first{dotted}"
        )
    return text
