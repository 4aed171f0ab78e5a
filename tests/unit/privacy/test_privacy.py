"""Privacy settings: masked fields, unchanged other values, and every line accounted for."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from amplitude_assets.emulator.world.columns import COLUMNS as EXPORTED
from amplitude_assets.export.archive import unpacking
from amplitude_assets.export.archive.hour_files import HourFiles, read_rejected
from amplitude_assets.export.archive.members import unpack_hour
from amplitude_assets.privacy.masks import COLUMNS, Masks, masks_of
from amplitude_assets.privacy.rules import (
    ABSENT_IDENTIFIERS,
    Forgotten,
    Privacy,
    amplitude_key,
    digest_of,
    user_id_key,
)
from amplitude_assets.streams.json_lines import fault_of
from tests.unit.export.building import PROJECT, job_of, kept_lines, name_of, packed, write_zip

KEY = "a secret of many characters"
MASKS = masks_of(
    ["ip_address", "user_properties.e.mail"],
    ["user_id", "device_id", "user_properties.id", "event_properties.ids"],
    KEY,
)
HEX = re.compile(r"[0-9a-f]{64}")


def events(lines: list[bytes]) -> list[Any]:
    return [json.loads(line) for line in lines]


def unpacked(
    folder: Path, privacy: Privacy, *members: bytes, into: str = "hour"
) -> tuple[HourFiles, Path]:
    names = [(name_of(number), data) for number, data in enumerate(members)]
    path = write_zip(folder / "one.zip", names)
    job = job_of(path, folder / into)
    return unpack_hour(type(job)(**{**vars(job), "privacy": privacy})), folder / into


def forgotten(*keys: str | None) -> Privacy:
    return Privacy(forgotten=Forgotten(PROJECT, frozenset(digest_of(key) for key in keys if key)))


def test_every_column_of_the_export_is_known() -> None:
    assert set(EXPORTED) == COLUMNS


def test_masked_values_are_removed_and_other_bytes_kept() -> None:
    line = (
        b'{"a" : 9007199254740993,"user_id":"anna@example.com","b": [6396.0, 1E2 ],'
        b'"ip_address":"203.0.113.9","user_properties":{"e.mail":"x","e":{"mail":1},"id":7,'
        b'"\\u00e9":"\\u00e9\\/"},"device_id":null,"event_properties":{"ids":["anna@example.com",7,null]}}'
    )
    anna, seven = MASKS.hash_of("anna@example.com"), MASKS.hash_of("7")
    assert MASKS.masked(line).decode() == (
        f'{{"a":9007199254740993,"user_id":"{anna}","b":[6396.0, 1E2 ],"ip_address":null,'
        f'"user_properties":{{"e":{{"mail":1}},"id":"{seven}","é":"\\u00e9\\/"}},"device_id":null,'
        f'"event_properties":{{"ids":["{anna}","{seven}",null]}}}}'
    )


def test_a_hash_is_hmac_sha256() -> None:
    masks = masks_of([], ["user_id"], "key-key-key-key-key")
    # printf anna | openssl dgst -sha256 -hmac key-key-key-key-key
    expected = "03fadd49bb898fefcb5ff2b44d4e78cfb8cad62300c2d695e014852fb7105c56"
    assert json.loads(masks.masked(b'{"user_id":"anna"}')) == {"user_id": expected}


def test_both_values_of_a_duplicate_key_are_masked() -> None:
    line = (
        b'{"ip_address":"203.0.113.9","ip_address":null,'
        b'"user_properties":{"id":"x"},"user_properties":{}}'
    )
    assert MASKS.masked(line) == b'{"ip_address":null,"user_properties":{}}'


_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
_properties = st.dictionaries(st.sampled_from(["id", "e.mail", "ids", "x"]) | st.text(), _values)
_events = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["user_id", "device_id", "ip_address", "uuid", "odd key"], _values),
        **dict.fromkeys(["user_properties", "event_properties"], _properties | _values),
    },
)


@given(event=_events, ascii_only=st.booleans())
def test_each_field_without_a_mask_has_the_value_it_had(
    event: dict[str, Any], ascii_only: bool
) -> None:
    line = json.dumps(event, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if fault_of(line) is not None:
        return
    masked = json.loads(MASKS.masked(line))
    assert list(masked) == list(event)
    fields = {"user_properties": {"e.mail", "id"}, "event_properties": {"ids"}}
    for column, value in event.items():
        if column == "ip_address":
            assert masked[column] is None
        elif column in ("user_id", "device_id"):
            assert_hashed(value, masked[column])
        elif column in fields and isinstance(value, dict):
            for key in value:
                if key in fields[column] and key != "e.mail":
                    assert_hashed(value[key], masked[column][key])
                elif key not in fields[column]:
                    assert masked[column][key] == value[key]
            assert set(masked[column]) == set(value) - ({"e.mail"} & fields[column])
        else:
            assert masked[column] == value


def assert_hashed(value: Any, hashed: Any) -> None:
    if isinstance(value, list):
        assert len(value) == len(hashed)
        for one, other in zip(value, hashed, strict=True):
            assert_hash_of_one(one, other)
    else:
        assert_hash_of_one(value, hashed)


def assert_hash_of_one(value: Any, hashed: Any) -> None:
    if isinstance(value, str):
        assert hashed == MASKS.hash_of(value)
    elif value is None:
        assert hashed is None
    else:
        assert HEX.fullmatch(hashed)


_id = st.sampled_from(["anna", "bob", "", None, 7])
_amplitude = st.sampled_from([11, 12, "13", None])
_lines = st.builds(
    lambda user, amplitude, n: orjson.dumps({"user_id": user, "amplitude_id": amplitude, "n": n}),
    _id,
    _amplitude,
    st.integers(0, 9),
) | st.sampled_from([b"not json", b"", b"[]", b" ", b"\xff"])


@settings(max_examples=60)
@given(members=st.lists(st.lists(_lines, max_size=5), max_size=3), masked=st.booleans())
def test_every_line_is_kept_forgotten_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, members: list[list[bytes]], masked: bool
) -> None:
    folder = tmp_path_factory.mktemp("hour")
    masks = masks_of([], ["user_id"], KEY) if masked else Masks()
    privacy = forgotten(user_id_key(PROJECT, "anna"), amplitude_key(PROJECT, 12))
    files, place = unpacked(
        folder, Privacy(masks, privacy.forgotten), *(packed(*m) for m in members)
    )
    expected, forgotten_lines, bad = [], 0, 0
    for line in (line for member in members for line in member if line.strip()):
        if fault_of(line):
            bad += 1
            continue
        event = json.loads(line)
        if event["user_id"] == "anna" or event["amplitude_id"] == 12:
            forgotten_lines += 1
            continue
        if masked and event["user_id"] is not None:
            event["user_id"] = masks.hash_of(str(event["user_id"]))
        expected.append(event)
    assert (files.forgotten_lines, files.rejected_lines) == (forgotten_lines, bad)
    assert files.lines == len(expected) + bad
    by_text = [sorted(map(str, rows)) for rows in (events(kept_lines(place, files)), expected)]
    assert by_text[0] == by_text[1]
    rejected = list(read_rejected(place, files))
    assert len(rejected) == bad
    assert all(not line.line and "withheld" in line.reason for line in rejected)


def test_without_settings_and_without_the_forgotten_files_are_passed_through(
    tmp_path: Path,
) -> None:
    member = packed(b'{"user_id": "anna", "amplitude_id": 11}', b'{"n":  1}')
    files, place = unpacked(tmp_path, forgotten(user_id_key(PROJECT, "bob")), member)
    (file,) = files.files
    assert (place / file.name).read_bytes() == member


def test_the_digest_depends_on_the_rules(tmp_path: Path) -> None:
    member = packed(b'{"user_id":"anna"}', b"not json")
    rules = [Masks(), masks_of([], ["user_id"], KEY), masks_of(["user_id"], [], None)]
    digests = [
        unpacked(tmp_path, Privacy(masks), member, into=str(number))[0].digest
        for number, masks in enumerate([*rules, *rules])
    ]
    assert digests[:3] == digests[3:]
    assert len(set(digests)) == 3
    only_bad = packed(b"not json")
    assert (
        unpacked(tmp_path, Privacy(), only_bad, into="a")[0].digest
        != unpacked(tmp_path, Privacy(rules[1]), only_bad, into="b")[0].digest
    )


def test_another_persons_line_loses_the_forgotten_merge_target() -> None:
    people = forgotten(amplitude_key(PROJECT, 12)).forgotten
    line = b'{"amplitude_id":11,"data":{"merged_amplitude_id": 12,"path": "/x"},"n": 1.0}'
    assert people.kept(line) == b'{"amplitude_id":11,"data":{"path":"/x"},"n":1.0}'
    assert people.kept(line.replace(b": 12", b": 13")) == line.replace(b": 12", b": 13")
    assert not people.keeps_merge(b'{"amplitude_id":11,"merged_amplitude_id":12}')
    assert people.keeps_merge(b'{"amplitude_id":11,"merged_amplitude_id":13}')


def test_a_person_listed_by_the_hash_of_an_id_is_forgotten() -> None:
    masks = masks_of([], ["user_id"], KEY)
    people = forgotten(user_id_key(PROJECT, masks.hash_of("anna"))).forgotten
    assert Privacy(masks, people).kept(b'{"user_id":"anna"}') is None
    assert Privacy(masks, people).kept(b'{"user_id":"bob"}') is not None


def test_placeholders_match_nobody() -> None:
    for nothing in ABSENT_IDENTIFIERS | {" NULL", "None"}:
        assert user_id_key(PROJECT, nothing) is None
        assert amplitude_key(PROJECT, nothing) is None
    assert amplitude_key(PROJECT, 0) is None
    assert user_id_key(PROJECT, "nullable") == f"{PROJECT}-user:nullable"


def test_dbt_and_the_package_have_the_same_placeholders() -> None:
    project = yaml.safe_load(
        (Path(__file__).parents[3] / "dbt_project/dbt_project.yml").read_text()
    )
    assert set(project["vars"]["absent_identifiers"]) == ABSENT_IDENTIFIERS


def test_the_key_is_not_shown() -> None:
    privacy = Privacy(MASKS)
    assert KEY not in repr(privacy)
    assert KEY not in str(privacy)


def test_worker_processes_mask_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_WORTH_PROCESSES_BYTES", 1)
    members = [(name_of(n), packed(b'{"user_id":"anna","n":%d}' % n)) for n in range(2)]
    job = job_of(write_zip(tmp_path / "one.zip", members), tmp_path / "hour")
    job = type(job)(**{**vars(job), "privacy": Privacy(MASKS)})
    assert pickle.loads(pickle.dumps(job)) == job
    ((_, files),) = unpacking.unpack_all([job], workers=2)
    assert isinstance(files, HourFiles)
    found = events(kept_lines(tmp_path / "hour", files))
    assert {event["user_id"] for event in found} == {MASKS.hash_of("anna")}


@pytest.mark.parametrize(
    ("dropped", "hashed", "key", "expected"),
    [
        (["uuid"], [], None, "PRIVACY_DROP: uuid cannot be masked"),
        ([], ["amplitude_id"], KEY, "PRIVACY_HASH: amplitude_id cannot be masked"),
        (["event_properties"], [], None, "name single keys of it"),
        (["event_properties.$price"], [], None, "revenue or merges"),
        (["data.merged_amplitude_id"], [], None, "revenue or merges"),
        (["device_id"], [], None, "use PRIVACY_HASH"),
        ([], ["location_lat"], KEY, "cannot be hashed; use PRIVACY_DROP"),
        (["email"], [], None, "not a column of the export"),
        (["user_id.x"], [], None, "does not name a key"),
        (["user_properties."], [], None, "does not name a key"),
        (["user_id"], ["user_id"], KEY, "named twice"),
        (
            ["user_properties"],
            ["user_properties.id"],
            KEY,
            "its key user_properties.id",
        ),
        ([], ["user_id"], None, "PRIVACY_HASH_KEY"),
        ([], ["user_id"], "short", "PRIVACY_HASH_KEY"),
    ],
)
def test_fields_that_cannot_be_masked_are_rejected(
    dropped: list[str], hashed: list[str], key: str | None, expected: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        masks_of(dropped, hashed, key)
