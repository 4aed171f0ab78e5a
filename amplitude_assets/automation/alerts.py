"""Alerts: a run that failed, or a check that began to, is posted to a webhook when one is set.

The body is `{"text": …}` in Slack's markup, which Slack, Mattermost and Rocket.Chat take. The
address is a secret: whoever has it can post, so it is in no log, error or cursor.
"""

from collections.abc import Iterable

import requests
from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunStatusSensorContext,
    SensorDefinition,
    SkipReason,
    run_failure_sensor,
    run_status_sensor,
)
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from amplitude_assets.automation.requests import hours_of_run
from amplitude_assets.automation.runs import reason_of, reason_of_run
from amplitude_assets.config import Settings

_TIMEOUT_SECONDS = 10
_LONGEST_REASON = 600
_SHOWN_REASONS = 5
_LOOKED_BACK = 10


class AlertError(Exception):
    """The webhook did not take an alert. The message says why, without its address."""


def failed_run_alert(settings: Settings) -> SensorDefinition:
    """Return the sensor that posts each run that failed and is not going to be retried."""

    @run_failure_sensor(
        name="alert_on_failed_run",
        minimum_interval_seconds=30,
        default_status=_status(settings),
        description="Posts a failed run to ALERT_WEBHOOK_URL: its hours, why, and a link to it.",
    )
    def alert_on_failed_run(context: RunFailureSensorContext) -> SkipReason | None:
        run = context.dagster_run
        if run.tags.get("dagster/will_retry") == "true":
            return SkipReason("The run is going to be retried.")
        checks = [check for check in _evaluations(context.instance, run) if not check.passed]
        reasons = [_in_words(check) for check in checks]
        reasons += [reason_of(event) for event in context.get_step_failure_events()]
        reasons = reasons or [reason_of_run(context.failure_event)]
        post(settings, _message(settings, run, "failed", reasons))
        return None

    return alert_on_failed_run


def failed_check_alert(settings: Settings) -> SensorDefinition:
    """Return the sensor that posts the checks that failed in a run that went through.

    A check that failed the time before as well is not posted again.
    """

    @run_status_sensor(
        run_status=DagsterRunStatus.SUCCESS,
        name="alert_on_failed_check",
        minimum_interval_seconds=30,
        default_status=_status(settings),
        description="Posts checks that began to fail to ALERT_WEBHOOK_URL, in their own words.",
    )
    def alert_on_failed_check(context: RunStatusSensorContext) -> SkipReason | None:
        news = [
            _in_words(found)
            for found in _evaluations(context.instance, context.dagster_run)
            if not found.passed and not _failed_before(context.instance, context.dagster_run, found)
        ]
        if not news:
            return SkipReason("No check began to fail.")
        post(settings, _message(settings, context.dagster_run, "has failing checks", news))
        return None

    return alert_on_failed_check


@retry(
    retry=retry_if_exception_type(AlertError),
    stop=stop_after_attempt(3),
    wait=wait_exponential(multiplier=0.5),
    reraise=True,
)
def post(settings: Settings, text: str) -> None:
    """Post a text to the webhook; nothing happens when none is set. Raises AlertError."""
    if settings.alert_webhook_url is None:
        return
    try:
        response = requests.post(
            settings.alert_webhook_url.get_secret_value(),
            json={"text": text},
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        # The library's own text holds the address.
        raise AlertError(f"ALERT_WEBHOOK_URL cannot be reached: {type(error).__name__}") from None
    if response.status_code >= 300:
        raise AlertError(f"ALERT_WEBHOOK_URL answered {response.status_code}; is it still right?")


def _status(settings: Settings) -> DefaultSensorStatus:
    """Return that alerts run as soon as there is somewhere to post them."""
    configured = settings.alert_webhook_url is not None
    return DefaultSensorStatus.RUNNING if configured else DefaultSensorStatus.STOPPED


def _message(settings: Settings, run: DagsterRun, what: str, reasons: Iterable[str]) -> str:
    hours = hours_of_run(run.tags)
    link = f"<{settings.dagster_url}/runs/{run.run_id}|{run.run_id[:8]}>"
    lines = [f"• {_escaped(' '.join(reason.split())[:_LONGEST_REASON])}" for reason in reasons]
    more = [f"… and {len(lines) - _SHOWN_REASONS} more"] if len(lines) > _SHOWN_REASONS else []
    over = f" over {hours} UTC" if hours else ""
    head = f"*{run.job_name}*{over} {what}, project {settings.project_id}, run {link}"
    return "\n".join([head, *lines[:_SHOWN_REASONS], *more])


def _escaped(text: str) -> str:
    """Write what Slack's markup takes for its own: https://api.slack.com/reference/surfaces."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _in_words(check: AssetCheckEvaluation) -> str:
    severity = "ERROR" if check.severity is AssetCheckSeverity.ERROR else "WARN"
    asset = check.asset_key.to_user_string()
    return f"{severity} {asset}, {check.check_name}: {check.description or 'failed'}"


def _evaluations(instance: DagsterInstance, run: DagsterRun) -> list[AssetCheckEvaluation]:
    logs = instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    events = (entry.dagster_event for entry in logs)
    return [event.asset_check_evaluation_data for event in events if event is not None]


def _failed_before(instance: DagsterInstance, run: DagsterRun, now: AssetCheckEvaluation) -> bool:
    """Say whether the check's evaluation before this run's failed too, and as severely."""
    history = instance.event_log_storage.get_asset_check_execution_history(
        now.asset_check_key, limit=_LOOKED_BACK
    )
    evaluated = [
        (record.run_id, record.event.dagster_event.asset_check_evaluation_data)
        for record in history
        if record.event is not None
        and record.event.dagster_event is not None
        and record.event.dagster_event_type is DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    runs = [run_id for run_id, _ in evaluated]
    earlier = evaluated[runs.index(run.run_id) + 1 :] if run.run_id in runs else []
    return bool(earlier) and not earlier[0][1].passed and earlier[0][1].severity is now.severity
