"""Alerts, posted to a real server on loopback: content, timing, and no secrets."""

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
from amplitude_assets.config import Settings
from amplitude_assets.instance.presence import PROCESS
from amplitude_assets.instance.steps import RANGE_END, RANGE_START
from tests.support.http import serving

SECRET = "T0000-B0000-secret"
HOURS = {RANGE_START: "2026-09-01-05:00", RANGE_END: "2026-09-01-08:00"}


class Webhook:
    """A server that records the posted texts and responds with `status`."""

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
    """Succeed."""


@asset
def bad() -> None:
    """Fail."""
    raise Failure("2026-09-01T06: the downloaded zip is <empty> & truncated", allow_retries=False)


class AlertSensor:
    """Run a graph and evaluate an alert sensor on it."""

    def __init__(self, sensor: SensorDefinition, instance: DagsterInstance) -> None:
        self._sensor = sensor
        self._instance = instance
        self._cursor: str | None = None
        self.tick()  # the first tick only sets the cursor

    def run(self, graph: Definitions, tags: dict[str, str] | None = None) -> str:
        result = graph.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self._instance, tags=tags, raise_on_error=False
        )
        return result.run_id

    def tick(self) -> str:
        """Evaluate the sensor, and return everything that the daemon would store."""
        context = build_sensor_context(instance=self._instance, cursor=self._cursor)
        tick = self._sensor.evaluate_tick(context)
        self._cursor = tick.cursor
        return f"{tick}"


def settings(webhook: Webhook) -> Settings:
    return Settings(
        alert_webhook_url=SecretStr(webhook.url), dagster_url="https://dagster.example.com/"
    )


def test_a_failed_run_is_posted_with_its_hours_reason_and_link(
    webhook: Webhook, instance: DagsterInstance
) -> None:
    alerts_sensor = AlertSensor(failed_run_alert(settings(webhook)), instance)
    run_id = alerts_sensor.run(Definitions([bad]), tags=HOURS)
    alerts_sensor.tick()
    (text,) = webhook.texts
    head, reason = text.split("\n")
    assert "2026-09-01-05:00 to 2026-09-01-08:00 UTC failed" in head
    assert f"<https://dagster.example.com/runs/{run_id}|{run_id[:8]}>" in head
    assert reason == "• bad: 2026-09-01T06: the downloaded zip is &lt;empty&gt; &amp; truncated"
    alerts_sensor.tick()
    assert len(webhook.texts) == 1, "a run is posted once"


def test_a_run_that_will_be_retried_is_not_posted(
    webhook: Webhook, instance: DagsterInstance
) -> None:
    alerts_sensor = AlertSensor(failed_run_alert(settings(webhook)), instance)
    run_id = alerts_sensor.run(Definitions([bad]))
    instance.add_run_tags(run_id, {"dagster/will_retry": "true"})
    alerts_sensor.tick()
    assert webhook.texts == []


def test_failures_of_a_command_are_not_posted_because_its_terminal_shows_them(
    webhook: Webhook, instance: DagsterInstance
) -> None:
    @asset_check(asset=good)
    def fails() -> AssetCheckResult:
        return AssetCheckResult(passed=False)

    for sensor, graph in (
        (failed_run_alert, Definitions([bad])),
        (failed_check_alert, Definitions([good], asset_checks=[fails])),
    ):
        alerts_sensor = AlertSensor(sensor(settings(webhook)), instance)
        alerts_sensor.run(graph, tags={PROCESS: "a-command"})
        alerts_sensor.tick()
        assert webhook.texts == []


def test_a_check_is_posted_when_it_starts_to_fail_and_when_its_severity_rises(
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
    def hours_are_complete() -> AssetCheckResult:
        passed, severity = outcomes[0]
        return AssetCheckResult(passed=passed, severity=severity, description="3 hours missing.")

    alerts_sensor = AlertSensor(failed_check_alert(settings(webhook)), instance)
    posted = []
    while outcomes:
        alerts_sensor.run(Definitions([good], asset_checks=[hours_are_complete]))
        alerts_sensor.tick()
        posted.append([text.split("\n")[1] for text in webhook.texts])
        webhook.texts.clear()
        outcomes.pop(0)
    warn, error = (f"• {s} good, hours_are_complete: 3 hours missing." for s in ("WARN", "ERROR"))
    assert posted == [[], [warn], [], [error], [], [error]]


def test_without_a_webhook_nothing_happens(instance: DagsterInstance) -> None:
    alerts_sensor = AlertSensor(failed_run_alert(Settings()), instance)
    alerts_sensor.run(Definitions([bad]))
    assert "Error" not in alerts_sensor.tick()


@pytest.mark.parametrize("fault", ["refused", "gone", "redirected"])
def test_an_error_of_the_webhook_does_not_contain_its_url(
    webhook: Webhook,
    instance: DagsterInstance,
    fault: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alerts.post.retry, "sleep", lambda _: None)
    webhook.status = {"gone": 404, "redirected": 302}.get(fault, 200)
    configured = settings(webhook)
    if fault == "refused":
        configured.alert_webhook_url = SecretStr(f"http://127.0.0.1:9/services/{SECRET}")
    with pytest.raises(AlertError, match="ALERT_WEBHOOK_URL") as raised:
        alerts.post(configured, "text")
    assert raised.value.__cause__ is None
    assert len(webhook.texts) == (0 if fault == "refused" else 3)
    alerts_sensor = AlertSensor(failed_run_alert(configured), instance)
    run_id = alerts_sensor.run(Definitions([bad]))
    stored = alerts_sensor.tick() + "".join(str(entry) for entry in instance.all_logs(run_id))
    printed = capfd.readouterr()
    assert "ALERT_WEBHOOK_URL" in stored
    assert SECRET not in stored + printed.out + printed.err + repr(configured) + str(raised.value)
