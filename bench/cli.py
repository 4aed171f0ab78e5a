"""Command-line options of `python -m bench`: the parts, sizes and rounds to measure."""

import signal
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

_PARTS = ("events", "hours", "models", "start")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--events", "sizes", multiple=True, type=click.IntRange(min=100), help="Events of a day."
)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--part", "parts", multiple=True, type=click.Choice(_PARTS), help="Only this part.")
@click.option(
    "--hours", "hours", multiple=True, type=click.IntRange(min=1), help="Near-empty hours."
)
@click.option("--history", multiple=True, type=click.IntRange(min=1000), help="Events of a month.")
@click.option("--only", multiple=True, help="Only contenders whose name contains this text.")
@click.option("--no-peers", is_flag=True, help="Install nothing: no peers, no plot.")
@click.option("--seed", default=1, show_default=True)
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day served (UTC).")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("artifacts"), show_default=True
)
def main(  # noqa: PLR0913, PLR0917 - each is an option
    sizes: tuple[int, ...],
    rounds: int,
    parts: tuple[str, ...],
    hours: tuple[int, ...],
    history: tuple[int, ...],
    only: tuple[str, ...],
    no_peers: bool,
    seed: int,
    until: datetime | None,
    out: Path,
) -> None:
    """Compare this project with its peers and with the limit.

    Sizes default to 10 thousand, 100 thousand and 1 million events. New figures replace those of
    the same part and size in OUT/bench.json; the others stay.
    """
    from bench.suite import Plan, run

    # SIGTERM raises SystemExit, so that the running contender is killed too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run(
        Plan(
            root=Path(".bench").resolve(),
            out=out,
            seed=seed,
            until=until.date() if until else _last_complete_day(),
            rounds=rounds,
            parts=parts or _PARTS,
            sizes=sizes or (10_000, 100_000, 1_000_000),
            hours=hours or (24, 168, 720),
            history=history or (1_000_000, 10_000_000),
            only=only,
            with_peers=not no_peers,
        )
    )


def _last_complete_day() -> date:
    """Return the newest day (UTC) whose hours are all exportable at any time of today."""
    return (datetime.now(UTC) - timedelta(days=2)).date()
