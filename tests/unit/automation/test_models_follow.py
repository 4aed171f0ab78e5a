"""The models are built once after loads, within an hour, and with backoff after failures."""

from datetime import UTC, datetime, timedelta

from amplitude_assets.automation.models_follow import FollowMemory, Follows, follow

_NOON = datetime(2026, 9, 10, 12, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


class SimulatedMinutes:
    """Simulated time in steps of a minute, with the sensor's input at each."""

    def __init__(self) -> None:
        self.now = _NOON
        self.memory = FollowMemory()
        self.stored = 0
        self.built = 0
        self.built_at: datetime | None = None
        self.every = timedelta(0)
        self.loading = self.building = False

    def load(self, *, changed: bool = True) -> None:
        self.stored += 1
        update = {"seen": self.stored} | ({"changed": self.stored} if changed else {})
        self.memory = self.memory.model_copy(update=update)

    def build(self) -> None:
        self.stored += 1
        self.built = self.stored
        self.built_at = self.now

    def tick(self) -> Follows:
        decided = follow(
            self.memory,
            built=self.built,
            loads_under_way=self.loading,
            builds_under_way=self.building,
            now=self.now,
            due_at=self.built_at + self.every if self.built_at else None,
        )
        self.memory = decided.memory
        self.now += _MINUTE
        return decided.verdict


def test_a_load_is_followed_by_one_build() -> None:
    minutes = SimulatedMinutes()
    minutes.load()
    assert minutes.tick() is Follows.NOW
    minutes.building = True
    assert minutes.tick() is Follows.BUILDING
    minutes.build()
    minutes.building = False
    assert {minutes.tick() for _ in range(200)} == {Follows.UP_TO_DATE}


def test_a_load_that_changed_nothing_is_not_followed() -> None:
    minutes = SimulatedMinutes()
    minutes.build()
    minutes.load(changed=False)
    assert minutes.tick() is Follows.UP_TO_DATE


def test_a_build_that_the_sensor_did_not_request_counts() -> None:
    minutes = SimulatedMinutes()
    minutes.load()
    minutes.build()
    assert minutes.tick() is Follows.UP_TO_DATE


def test_the_loads_of_a_backfill_are_followed_when_it_is_over_and_once_an_hour_before() -> None:
    minutes = SimulatedMinutes()
    minutes.loading = True
    verdicts = []
    for _ in range(150):  # two and a half hours, a load a minute
        minutes.load()
        verdicts.append(minutes.tick())
        if verdicts[-1] is Follows.NOW:
            minutes.build()
    assert [at for at, verdict in enumerate(verdicts) if verdict is Follows.NOW] == [60, 121]
    minutes.loading = False
    assert minutes.tick() is Follows.NOW
    minutes.build()
    assert minutes.tick() is Follows.UP_TO_DATE


def test_a_failed_build_is_retried_with_backoff_whatever_is_loaded() -> None:
    minutes = SimulatedMinutes()
    requested = 0
    for minute in range(24 * 60):
        if minute % 60 == 0:
            minutes.load()
        requested += minutes.tick() is Follows.NOW
    assert 6 <= requested <= 10


def test_after_a_successful_retry_the_next_load_is_followed_at_once() -> None:
    minutes = SimulatedMinutes()
    minutes.load()
    assert minutes.tick() is Follows.NOW
    assert minutes.tick() is Follows.BACKING_OFF
    waited = 0
    while minutes.tick() is not Follows.NOW:
        waited += 1
    assert 5 <= waited <= 25
    minutes.build()
    assert minutes.tick() is Follows.UP_TO_DATE
    minutes.load()
    assert minutes.tick() is Follows.NOW


def test_with_a_cadence_the_loads_of_six_hours_share_one_build() -> None:
    minutes = SimulatedMinutes()
    minutes.every = timedelta(hours=6)
    built = []
    for minute in range(25 * 60):
        if minute % 60 == 10:
            minutes.load()
        if minutes.tick() is Follows.NOW:
            built.append(minute)
            minutes.build()
    assert built == [10, 371, 732, 1093, 1454]


def test_a_failed_build_is_retried_before_the_cadence_is_over() -> None:
    minutes = SimulatedMinutes()
    minutes.every = timedelta(hours=6)
    minutes.load()
    minutes.build()
    minutes.now += timedelta(hours=6)
    minutes.load()
    assert minutes.tick() is Follows.NOW  # it fails
    assert Follows.NOW in {minutes.tick() for _ in range(25)}


def test_bronze_that_did_not_change_needs_no_build_however_old_the_last_is() -> None:
    minutes = SimulatedMinutes()
    minutes.every = timedelta(hours=6)
    minutes.load()
    minutes.build()
    minutes.now += timedelta(days=2)
    assert minutes.tick() is Follows.UP_TO_DATE
