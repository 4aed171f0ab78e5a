"""Alerts, posted to a real server on loopback: what they say, when, and no secret in them."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    DagsterInstance,
    Definitions,
    Failure,
    SensorDefinition,
    asset,
    asset_check,
    build_sensor_context,
)
from pydantic import SecretStr

from amplitude_assets.automation import alerts
from amplitude_assets.automation.alerts import AlertError, failed_check_alert, failed_run_alert
from amplitude_assets.automation.requests import RANGE_END, RANGE_START
from amplitude_assets.config import Settings
from tests.support.http import serving

SECRET = "T0000-B0000-secret"
HOURS = {RANGE_START: "2026-09-01-05:00", RANGE_END: "2026-09-01-08:00"}


class Webhook:
    """A server that keeps the texts that are posted to it, and answers with `status`."""

    def __init__(self, origin: str) -> None:
        self.url = f"{origin}/services/{SECRET}"
        self.texts: list[str] = []
        self.status = 200


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == f"/services/{SECRET}"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.texts.append(body["text"])
            self.send_response(hook.status)
            self.end_headers()

    with serving(Handler) as origin:
        hook = Webhook(origin)
        yield hook


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@asset
def good() -> None:
    """Comes to be."""


@asset
def bad() -> None:
    """Does not."""
    raise Failure("2026-09-01T06: the zip that arrived is <empty> & cut", allow_retries=False)


class Watched:
    """Runs of a graph, seen by an alert sensor."""

    def __init__(self, sensor: SensorDefinition, instance: DagsterInstance) -> None:
        self._sensor = sensor
        self._instance = instance
        self._cursor: str | None = None
        self.tick()  # the first one only notes where it begins

    def run(self, graph: Definitions, tags: dict[str, str] | None = None) -> str:
        result = graph.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self._instance, tags=tags, raise_on_error=False
        )
        return result.run_id

    def tick(self) -> str:
        """Evaluate the sensor, and return all that the daemon would keep of it."""
        context = build_sensor_context(instance=self._instance, cursor=self._cursor)
        tick = self._sensor.evaluate_tick(context)
        self._cursor = tick.cursor
        return f"{tick}"


def settings(webhook: Webhook) -> Settings:
    return Settings(
        alert_webhook_url=SecretStr(webhook.url), dagster_url="https://dagster.example.com/"
    )


def test_a_failed_run_is_posted_with_its_hours_why_and_a_link(
    webhook: Webhook, instance: DagsterInstance
) -> None:
    watched = Watched(failed_run_alert(settings(webhook)), instance)
    run_id = watched.run(Definitions([bad]), tags=HOURS)
    watched.tick()
    (text,) = webhook.texts
    head, reason = text.split("\n")
    assert "2026-09-01-05:00 to 2026-09-01-08:00 UTC failed" in head
    assert f"<https://dagster.example.com/runs/{run_id}|{run_id[:8]}>" in head
    assert reason == "• bad: 2026-09-01T06: the zip that arrived is &lt;empty&gt; &amp; cut"
    watched.tick()
    assert len(webhook.texts) == 1, "a run is posted once"


def test_a_run_that_is_going_to_be_retried_is_not_posted(
    webhook: Webhook, instance: DagsterInstance
) -> None:
    watched = Watched(failed_run_alert(settings(webhook)), instance)
    run_id = watched.run(Definitions([bad]))
    instance.add_run_tags(run_id, {"dagster/will_retry": "true"})
    watched.tick()
    assert webhook.texts == []


def test_a_check_is_posted_when_it_begins_to_fail_and_when_it_gets_worse(
    webhook: Webhook, instance: DagsterInstance
) -> None:
    outcomes = [
        (True, AssetCheckSeverity.WARN),
        (False, AssetCheckSeverity.WARN),
        (False, AssetCheckSeverity.WARN),
        (False, AssetCheckSeverity.ERROR),
        (True, AssetCheckSeverity.ERROR),
        (False, AssetCheckSeverity.ERROR),
    ]

    @asset_check(asset=good)
    def hours_are_whole() -> AssetCheckResult:
        passed, severity = outcomes[0]
        return AssetCheckResult(passed=passed, severity=severity, description="3 hours missing.")

    watched = Watched(failed_check_alert(settings(webhook)), instance)
    posted = []
    while outcomes:
        watched.run(Definitions([good], asset_checks=[hours_are_whole]))
        watched.tick()
        posted.append([text.split("\n")[1] for text in webhook.texts])
        webhook.texts.clear()
        outcomes.pop(0)
    warn, error = (f"• {s} good, hours_are_whole: 3 hours missing." for s in ("WARN", "ERROR"))
    assert posted == [[], [warn], [], [error], [], [error]]


def test_without_a_webhook_nothing_happens(instance: DagsterInstance) -> None:
    watched = Watched(failed_run_alert(Settings()), instance)
    watched.run(Definitions([bad]))
    assert "Error" not in watched.tick()


@pytest.mark.parametrize("fault", ["refused", "gone", "redirected"])
def test_a_webhook_that_does_not_take_it_is_told_without_its_address(
    webhook: Webhook,
    instance: DagsterInstance,
    fault: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alerts.post.retry, "sleep", lambda _: None)
    webhook.status = {"gone": 404, "redirected": 302}.get(fault, 200)
    ours = settings(webhook)
    if fault == "refused":
        ours.alert_webhook_url = SecretStr(f"http://127.0.0.1:9/services/{SECRET}")
    with pytest.raises(AlertError, match="ALERT_WEBHOOK_URL") as raised:
        alerts.post(ours, "text")
    assert raised.value.__cause__ is None
    assert len(webhook.texts) == (0 if fault == "refused" else 3)
    watched = Watched(failed_run_alert(ours), instance)
    run_id = watched.run(Definitions([bad]))
    kept = watched.tick() + "".join(str(entry) for entry in instance.all_logs(run_id))
    printed = capfd.readouterr()
    assert "ALERT_WEBHOOK_URL" in kept
    assert SECRET not in kept + printed.out + printed.err + repr(ours) + str(raised.value)
