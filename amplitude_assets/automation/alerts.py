"""Alerts: post failed runs and newly failing checks to a webhook, if `ALERT_WEBHOOK_URL` is set.

The body is `{"text": …}` in Slack's markup, which Slack, Mattermost and Rocket.Chat accept. The URL
is a secret that allows posting, so it never appears in a log, an error or a cursor.
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

from amplitude_assets.automation.runs import reason_of, reason_of_run
from amplitude_assets.config import Settings
from amplitude_assets.instance.presence import PROCESS
from amplitude_assets.instance.steps import hours_of_run

_TIMEOUT_SECONDS = 10
_LONGEST_REASON = 600
_SHOWN_REASONS = 5
_LOOKED_BACK = 10
_ON_A_TERMINAL = SkipReason("The command that started the run prints what failed.")


class AlertError(Exception):
    """The webhook did not accept an alert. The message gives the reason without the URL."""


def failed_run_alert(settings: Settings) -> SensorDefinition:
    """Return the sensor that posts each failed run that is not going to be retried."""

    @run_failure_sensor(
        name="alert_on_failed_run",
        minimum_interval_seconds=30,
        default_status=_status(settings),
        description="Posts a failed run to ALERT_WEBHOOK_URL: its hours, the reason and a link.",
    )
    def alert_on_failed_run(context: RunFailureSensorContext) -> SkipReason | None:
        run = context.dagster_run
        if run.tags.get("dagster/will_retry") == "true":
            return SkipReason("The run is going to be retried.")
        if PROCESS in run.tags:
            return _ON_A_TERMINAL
        checks = [check for check in _evaluations(context.instance, run) if not check.passed]
        reasons = [_in_words(check) for check in checks]
        reasons += [reason_of(event) for event in context.get_step_failure_events()]
        reasons = reasons or [reason_of_run(context.failure_event)]
        post(settings, _message(settings, run, "failed", reasons))
        return None

    return alert_on_failed_run


def failed_check_alert(settings: Settings) -> SensorDefinition:
    """Return the sensor that posts the failed checks of a successful run.

    A check whose previous evaluation failed as well is not posted again.
    """

    @run_status_sensor(
        run_status=DagsterRunStatus.SUCCESS,
        name="alert_on_failed_check",
        minimum_interval_seconds=30,
        default_status=_status(settings),
        description="Posts newly failing checks to ALERT_WEBHOOK_URL with their description.",
    )
    def alert_on_failed_check(context: RunStatusSensorContext) -> SkipReason | None:
        if PROCESS in context.dagster_run.tags:
            return _ON_A_TERMINAL
        news = [
            _in_words(found)
            for found in _evaluations(context.instance, context.dagster_run)
            if not found.passed and not _failed_before(context.instance, context.dagster_run, found)
        ]
        if not news:
            return SkipReason("No check newly failed.")
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
    """Post a text to the webhook, if one is set. Raises AlertError after three attempts."""
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
        # The library's message contains the URL.
        raise AlertError(f"ALERT_WEBHOOK_URL cannot be reached: {type(error).__name__}") from None
    if response.status_code >= 300:
        raise AlertError(
            f"ALERT_WEBHOOK_URL answered {response.status_code}; check that the URL is still valid"
        )


def _status(settings: Settings) -> DefaultSensorStatus:
    """Return RUNNING if a webhook is set."""
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
    """Escape Slack's markup: https://api.slack.com/reference/surfaces/formatting#escaping."""
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
    """Return whether the evaluation before this run's failed with the same severity."""
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
