"""Describe a set-up as idempotent steps, and apply them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["created", "changed", "unchanged", "removed", "absent"]


class SetupError(Exception):
    """A step failed. The message says which, and what to do."""


@dataclass(frozen=True)
class Step:
    """One resource to create, change or remove; `apply` does so if needed. Raises SetupError."""

    name: str
    apply: Callable[[], Outcome]


@dataclass(frozen=True)
class Done:
    """The outcome of a step."""

    name: str
    outcome: Outcome


def apply_all(steps: Iterable[Step]) -> Iterator[Done]:
    """Apply steps in order, and yield each outcome. Raises SetupError when a step fails."""
    for step in steps:
        yield Done(step.name, step.apply())
