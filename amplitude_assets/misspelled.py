"""Find environment variables that look like misspelled settings."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches

# Other programs have variables with these prefixes too, so only near matches are reported.
_SHARED_PREFIXES = ("AWS", "DAGSTER", "DUCKDB", "SNOWFLAKE")
# No other program uses these prefixes.
_OUR_PREFIXES = ("AMPLITUDE", "EMULATOR", "LAKE", "LOOKBACK", "PRIVACY", "RECHECK")
# Similar to our settings but read by other programs: boto3's endpoint of each service, and the key
# of Snowflake's CLI.
_OF_OTHER_PROGRAMS = re.compile(r"AWS_ENDPOINT_URL(_\w+)?|SNOWFLAKE_PRIVATE_KEY")
# Chosen by experiment: one wrong or missing letter is above, another word below.
_SIMILAR = 0.85
_SIMILAR_WITH_ANOTHER_PREFIX = 0.92
_SIMILAR_FOR_HINT = 0.75  # the prefix shows that a setting was meant


@dataclass(frozen=True)
class Misspelled:
    """A variable that is not a setting, where it is set, and the most similar setting."""

    name: str
    place: str
    nearest: str | None

    def __str__(self) -> str:
        """Return a line without the value, which may be a secret."""
        hint = f"did you mean {self.nearest}?" if self.nearest else ".env.example lists them all"
        return f"{self.name} in {self.place} is not a setting; {hint}"


def misspelled_settings(
    environment: Iterable[str], dotenv: Collection[str], settings: Collection[str]
) -> list[Misspelled]:
    """Return the variables that look like settings but are not, in order of their names.

    `environment` are the names of all variables, `dotenv` those in the file `.env`, and `settings`
    those of all settings. A variable in `.env` looks like a setting if it has a prefix that only
    settings have.
    """
    prefixes = {_prefix(name) for name in settings}
    found = []
    for name in sorted(set(environment) - set(settings)):
        if _OF_OTHER_PROGRAMS.fullmatch(name):
            continue
        nearest = _nearest(name, settings)
        ours = (*prefixes,) if name in dotenv else _OUR_PREFIXES
        is_ours = _prefix(name) in ours and _prefix(name) not in _SHARED_PREFIXES
        if is_ours and nearest is None:
            nearest = next(
                iter(get_close_matches(name, settings, n=1, cutoff=_SIMILAR_FOR_HINT)), None
            )
        if nearest or is_ours:
            place = ".env" if name in dotenv else "the environment"
            found.append(Misspelled(name, place, nearest))
    return found


def _nearest(name: str, settings: Iterable[str]) -> str | None:
    """Return the most similar setting, or None when none is similar enough."""
    scores = {setting: score for setting in settings if (score := _similarity(name, setting))}
    return max(scores, key=scores.__getitem__) if scores else None


def _similarity(name: str, setting: str) -> float:
    """Return the similarity of two names, at most 1, or 0 when they are not similar enough."""
    if _prefix(name) == _prefix(setting) and "_" in setting:
        # A long common prefix would make any two names similar.
        name, setting = (text.partition("_")[2] for text in (name, setting))
        least = _SIMILAR
    else:
        least = _SIMILAR_WITH_ANOTHER_PREFIX
    if sorted(name) == sorted(setting):
        return 1.0  # transposed letters
    similarity = SequenceMatcher(a=name, b=setting, autojunk=False).ratio()
    return similarity if similarity >= least else 0.0


def _prefix(name: str) -> str:
    return name.partition("_")[0]
