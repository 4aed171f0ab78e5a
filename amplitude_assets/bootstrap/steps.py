"""A set-up as steps: each knows whether it is done already, and does nothing then."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["made", "changed", "unchanged", "removed", "absent"]


class SetupError(Exception):
    """The set-up could not go on. The message says what was refused, and what to do."""


@dataclass(frozen=True)
class Step:
    """One thing that is to be there. `apply` makes it so, and says what it had to do."""

    name: str
    apply: Callable[[], Outcome]


@dataclass(frozen=True)
class Done:
    """What came of a step."""

    name: str
    outcome: Outcome


def apply_all(steps: Iterable[Step]) -> Iterator[Done]:
    """Apply steps in order, telling each as it is done. Raises SetupError where one is refused."""
    for step in steps:
        yield Done(step.name, step.apply())
