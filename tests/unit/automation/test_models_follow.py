"""When the models are built: after loads, once, with a bound, and not in a storm when they fail."""

from datetime import UTC, datetime, timedelta

from amplitude_assets.automation.models_follow import FollowMemory, Follows, follow

_NOON = datetime(2026, 9, 10, 12, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


class Minutes:
    """Time that passes a minute at a time, with what the sensor sees at each."""

    def __init__(self) -> None:
        self.now = _NOON
        self.memory = FollowMemory()
        self.stored = 0
        self.built = 0
        self.loading = self.building = False

    def load(self, *, changed: bool = True) -> None:
        self.stored += 1
        update = {"seen": self.stored} | ({"changed": self.stored} if changed else {})
        self.memory = self.memory.model_copy(update=update)

    def build(self) -> None:
        self.stored += 1
        self.built = self.stored

    def tick(self) -> Follows:
        decided = follow(
            self.memory,
            built=self.built,
            loads_under_way=self.loading,
            builds_under_way=self.building,
            now=self.now,
        )
        self.memory = decided.memory
        self.now += _MINUTE
        return decided.verdict


def test_a_load_is_followed_once() -> None:
    minutes = Minutes()
    minutes.load()
    assert minutes.tick() is Follows.NOW
    minutes.building = True
    assert minutes.tick() is Follows.BUILDING
    minutes.build()
    minutes.building = False
    assert {minutes.tick() for _ in range(200)} == {Follows.UP_TO_DATE}


def test_a_load_that_changed_nothing_is_not_followed() -> None:
    minutes = Minutes()
    minutes.build()
    minutes.load(changed=False)
    assert minutes.tick() is Follows.UP_TO_DATE


def test_a_build_that_somebody_else_ran_counts() -> None:
    minutes = Minutes()
    minutes.load()
    minutes.build()
    assert minutes.tick() is Follows.UP_TO_DATE


def test_the_loads_of_a_backfill_are_followed_when_it_is_over_and_once_an_hour_before() -> None:
    minutes = Minutes()
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


def test_a_build_that_fails_is_tried_again_less_and_less_often_whatever_is_loaded() -> None:
    minutes = Minutes()
    asked = 0
    for minute in range(24 * 60):
        if minute % 60 == 0:
            minutes.load()
        asked += minutes.tick() is Follows.NOW
    assert 6 <= asked <= 10


def test_after_a_failure_that_passes_the_next_load_is_followed_at_once() -> None:
    minutes = Minutes()
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
