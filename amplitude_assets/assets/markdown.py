"""Write values from data into Markdown so that they stay text."""

import re

_LONGEST = 200


def code_span(text: str, longest: int = _LONGEST) -> str:
    """Return a value from data as a Markdown code span: nothing inside it is markup.

    A key or event type can contain an image, HTML or a URL that the UI would render. White space
    becomes single spaces, since a blank line would end the span; text beyond `longest` characters
    is cut. `|` is replaced, because it ends a table cell even inside a code span.
    """
    shown = " ".join(text.split()).replace("|", "¦") or " "
    if len(shown) > longest:
        shown = f"{shown[:longest]}…"
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"
