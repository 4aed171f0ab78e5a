"""One Snowflake for all tests of this folder, started once and emptied before each test."""

from collections.abc import Iterator

import pytest

from tests.support import snowflake
from tests.support.snowflake import SnowflakeUnderTest

# Read before a fixture removes the machine's settings from the environment.
_LIVE = snowflake.live()


@pytest.fixture(scope="session")
def fake_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowflakeUnderTest]:
    with snowflake.fake(tmp_path_factory.mktemp("snowflake")) as account:
        yield account


@pytest.fixture(scope="session", params=["fakesnow", "live"])
def account(request: pytest.FixtureRequest) -> SnowflakeUnderTest:
    """Return the fake account, and then a live one."""
    if request.param == "fakesnow":
        account: SnowflakeUnderTest = request.getfixturevalue("fake_account")
        return account
    if isinstance(_LIVE, str):
        pytest.skip(_LIVE)
    return _LIVE


@pytest.fixture
def empty_account(
    account: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> SnowflakeUnderTest:
    """Return the account without tables and objects; set its settings in the environment."""
    account.empty()
    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)
    return account
