"""Verifying the lake: damage is named, and every hour is verified on its night."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from amplitude_assets.cli.main import cli
from amplitude_assets.hours import HOUR, HourRange, parse_hour
from amplitude_assets.lake.layout import manifest_key
from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.lake.store import Lake
from amplitude_assets.lake.verification import share_of_night, verify_hours
from tests.support.lake import PROJECT, publish

FIRST = parse_hour("2026-09-01T05")


def test_every_hour_has_one_night_which_other_hours_do_not_change() -> None:
    hours = list(HourRange(FIRST, FIRST + 999 * HOUR))
    nights = [date(2026, 9, 1) + timedelta(days=n) for n in range(30)]
    shares = [share_of_night(hours, night, 30) for night in nights]
    assert Counter(hour for share in shares for hour in share) == Counter(hours)
    assert max(map(len, shares)) < 3 * len(hours) / 30
    assert share_of_night(hours[:100], nights[7], 30) == [h for h in shares[7] if h in hours[:100]]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"lines": 9}, "lines are not those of its objects"),
        ({"digest": "0" * 64}, "digest is not that of its objects"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_damaged(
    change: dict[str, object], expected: str, tmp_path: Path
) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    manifest = publish(lake, FIRST, [[b"{}"]], tmp_path / "files")
    changed = Manifest.model_validate(manifest.model_dump() | change)
    lake.write(manifest_key(PROJECT, FIRST), changed.to_json().encode())
    (found,) = verify_hours(lake, PROJECT, [FIRST], expected=())
    assert [problem.partition(" is damaged: ")[2] for problem in found.problems] == [
        f"its {expected}"
    ]


def test_an_hour_without_a_manifest_is_damaged_if_it_was_loaded_or_has_objects(
    tmp_path: Path,
) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    publish(lake, FIRST, [[b"{}"]], tmp_path / "files")
    lake.delete(manifest_key(PROJECT, FIRST))
    hours = HourRange(FIRST, FIRST + 2 * HOUR)
    found = verify_hours(lake, PROJECT, hours, expected={FIRST + HOUR})
    assert [bool(verified.problems) for verified in found] == [True, True, False]


def test_the_command_names_the_damage_and_the_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMPLITUDE_PROJECT_ID", str(PROJECT))
    monkeypatch.setenv("AMPLITUDE_START_HOUR", "2026-09-01T00")
    lake = Lake((tmp_path / "data" / "lake").as_uri())
    for hour in (FIRST, FIRST + HOUR, FIRST + 3 * HOUR):
        publish(lake, hour, [[b'{"a": %d}' % hour.hour], [b"{}"]], tmp_path / f"{hour}")
    whole = CliRunner().invoke(cli, ["verify"])
    assert whole.exit_code == 0
    assert "3 hours, 6 objects, " in whole.output
    assert "all whole" in whole.output

    for hour, key in zip(
        (FIRST, FIRST + HOUR), sorted(lake.list_keys("events/"))[::2], strict=False
    ):
        path = tmp_path / "data" / "lake" / key
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        assert f"/{hour.hour:02}/" in key
    damaged = CliRunner().invoke(cli, ["verify"])
    assert damaged.exit_code == 1
    assert damaged.output.count("is damaged: its SHA-256 differs") == 2
    again = "amplitude-assets run --from 2026-09-01T05 --to 2026-09-01T06"
    assert f"To repair: {again}\n" in damaged.output
    assert CliRunner().invoke(cli, ["verify", "--from", "2026-09-01T08"]).exit_code == 0
