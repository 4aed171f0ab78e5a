"""Group failed hours by reason, ignoring the keys and digests that a reason names."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from amplitude_assets.hours import contiguous_ranges
from amplitude_assets.wording import plural

_SHOWN_REASONS = 20
_SHOWN_RANGES = 5
_VARIES = "…"
_PLACEHOLDER = "\0"  # occurs in no reason, so reasons of one group have equally many words

# What differs between two hours with the same reason: a range of hours, or a word with a digit,
# such as an hour, a part of a key, a digest, a request id or a number of bytes.
_WORD = r"\w(?:[\w#=+%.,:-]*\w)?"
_HOUR = r"\d{4}-\d{2}-\d{2}T\d{2}"
_VARYING = re.compile(rf"{_HOUR} to {_HOUR}|(?=[\w#=+%.,:-]*\d){_WORD}")
# Two HTTP status codes are two reasons.
_STATUS = re.compile(r"[45]\d\d")


def reasons_of(failed: Mapping[datetime, str]) -> list[str]:
    """Return a line for each reason, with its hours, the most frequent reason first.

    `failed` maps each hour to its reason. Reasons that differ only in words with digits are one
    reason, without these words. Reasons after the twentieth are only counted.
    """
    groups = sorted(_groups(failed), key=lambda group: -len(group))
    lines = [_line(group) for group in groups[:_SHOWN_REASONS]]
    if more := groups[_SHOWN_REASONS:]:
        hours = plural(sum(map(len, more)), "hour")
        lines.append(f"and {plural(len(more), 'other reason')} for {hours}")
    return lines


def _groups(failed: Mapping[datetime, str]) -> Iterator[dict[datetime, str]]:
    groups: dict[str, dict[datetime, str]] = {}
    for hour, reason in sorted(failed.items()):
        line = _one_line(reason)
        groups.setdefault(_VARYING.sub(_without_varying, line), {})[hour] = line
    yield from groups.values()


def _without_varying(varying: re.Match[str]) -> str:
    return varying[0] if _STATUS.fullmatch(varying[0]) else _PLACEHOLDER


def _one_line(text: str) -> str:
    return " ".join(text.replace(_PLACEHOLDER, " ").split())


def _line(group: Mapping[datetime, str]) -> str:
    ranges = [str(part) for part in contiguous_ranges(group)]
    shown = ", ".join(ranges[:_SHOWN_RANGES])
    if more := ranges[_SHOWN_RANGES:]:
        shown += f" and {plural(len(more), 'other range')}"
    hours = f"{len(group):,} hours, " if len(group) > 1 else ""
    return f"{hours}{shown}: {_common(list(group.values()))}"


def _common(reasons: list[str]) -> str:
    """Return the common text of reasons, with `…` for each word that differs."""
    found = zip(*(_VARYING.findall(reason) for reason in reasons), strict=True)
    words = iter([one[0] if len(set(one)) == 1 else _VARIES for one in found])
    return _VARYING.sub(lambda _: next(words), reasons[0])
