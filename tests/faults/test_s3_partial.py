"""Faulty S3 responses cause no missing, extra or wrong row, and the next run recovers."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, World, WorldSettings, serve
from amplitude_assets.lake.manifest import LakeObject
from amplitude_assets.lake.store import LakeError
from tests.faults.place import HOURS, Place, Tables
from tests.faults.test_s3_refused import s3_lake
from tests.support.s3 import S3Server, s3_server
from tests.support.s3_proxy import FaultInjector, ResponseFault, faulty_proxy

ALWAYS = 1_000_000


@dataclass(frozen=True)
class Case:
    """A fault in the first `times` requests with a method and a part of a path."""

    method: str
    path: str
    fault: ResponseFault
    times: int

    def __str__(self) -> str:
        often = "once" if self.times == 1 else "always"
        return f"{self.method}-{self.path.strip('/')}-{self.fault.name.lower()}-{often}"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60))) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def clean(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    place = Place(tmp_path_factory.mktemp("clean"), emulator.base_url)
    assert place.run().succeeded
    return place.bronze()


@pytest.fixture
def s3() -> Iterator[tuple[S3Server, FaultInjector]]:
    with s3_server() as server, faulty_proxy(server) as proxied:
        yield proxied


# The requests, the fault, and whether it occurs once (1) or in the whole run.
CASES = [
    Case("PUT", "/events/", ResponseFault.RESET, 1),
    Case("PUT", "/events/", ResponseFault.SLOW_DOWN, 1),
    Case("PUT", "/events/", ResponseFault.ERROR_WITH_200, 1),
    Case("PUT", "/events/", ResponseFault.ERROR_WITH_200, ALWAYS),
    Case("PUT", "/manifests/", ResponseFault.ERROR_WITH_200, ALWAYS),
    Case("GET", "/events/", ResponseFault.TRUNCATED, 1),
    Case("GET", "/events/", ResponseFault.TRUNCATED, ALWAYS),
    Case("GET", "/events/", ResponseFault.HALF, 1),
    Case("GET", "/events/", ResponseFault.HALF, ALWAYS),
    Case("GET", "/events/", ResponseFault.WRONG_BYTE, ALWAYS),
    Case("GET", "/events/", ResponseFault.RESET, 1),
    Case("GET", "/events/", ResponseFault.SLOW_DOWN, 1),
    Case("GET", "/manifests/", ResponseFault.HALF, ALWAYS),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_faulty_s3_responses_load_no_wrong_rows(
    case: Case,
    emulator: Emulator,
    clean: Tables,
    s3: tuple[S3Server, FaultInjector],
    tmp_path: Path,
) -> None:
    server, injector = s3
    place = Place(tmp_path, emulator.base_url)
    injector.inject(case.fault, case.method, case.path, case.times)
    outcome = place.run(lake=s3_lake(server))
    assert injector.hits
    loaded = place.bronze()
    assert set(loaded) == outcome.loaded
    assert {hour: clean[hour] for hour in loaded} == loaded
    if case.times == 1:
        assert outcome.succeeded, outcome.reasons
    else:
        assert (outcome.missing, bool(outcome.reasons)) == ([HOURS], True)
    injector.stop()
    again = place.run(lake=s3_lake(server))
    assert again.succeeded, again.reasons
    assert place.bronze() == clean


@pytest.mark.parametrize(
    "case",
    [
        Case("PUT", "partNumber=2", ResponseFault.RESET, 1),
        Case("PUT", "partNumber=2", ResponseFault.SLOW_DOWN, 1),
        Case("POST", "uploadId=", ResponseFault.ERROR_WITH_200, 1),
    ],
    ids=str,
)
def test_a_multipart_object_is_complete_or_absent(
    case: Case, s3: tuple[S3Server, FaultInjector], tmp_path: Path
) -> None:
    """S3 may respond to the last request of a multipart upload with 200 and an error body."""
    server, injector = s3
    lake, path, data = s3_lake(server), tmp_path / "object", os.urandom(12 * 1024**2)
    path.write_bytes(data)
    digest = sha256(data).hexdigest()
    item = LakeObject(
        key=f"events/{digest}", member="1.json.gz", bytes=len(data), lines=1, sha256=digest
    )
    injector.inject(case.fault, case.method, case.path, case.times)
    try:
        lake.put_object(item, path)
    except LakeError:
        assert not server.keys("p/events/")
        lake.put_object(item, path)
    assert injector.hits == 1
    assert b"".join(lake.get_object(item.key)) == data
