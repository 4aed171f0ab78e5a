"""Records the query tag of each statement, between the connector and the fake of Snowflake.

Snowflake takes the tag from the session's parameters at login, and from ALTER SESSION; fakesnow
ignores both.
"""

import gzip
import json
import re
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

# dbt adds a comment at the end of a statement.
_CHANGED = re.compile(r"\s*alter session set query_tag = '(.*?)'\s*(/\*.*\*/)?\s*$", re.I | re.S)
_TOKEN = re.compile(r'Snowflake Token="([^"]+)"')


@dataclass(frozen=True)
class Tagged:
    """A statement with its tag, parsed; the tag is empty when the session had none."""

    sql: str
    tag: dict[str, str]


@dataclass
class TagRecorder:
    """An ASGI application around another one."""

    app: Any
    statements: list[Tagged] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        raw = b"".join(message.get("body", b"") for message in messages)
        body = gzip.decompress(raw) if headers.get("content-encoding") == "gzip" else raw
        answered: list[bytes] = []

        async def again() -> Any:
            return messages.pop(0) if messages else await receive()

        async def answer(message: MutableMapping[str, Any]) -> None:
            answered.append(message.get("body", b""))
            await send(message)

        if scope["path"].endswith("/query-request"):
            self._record(headers.get("authorization", ""), json.loads(body)["sqlText"])
        await self.app(scope, again, answer)
        if scope["path"].endswith("/login-request"):
            token = json.loads(b"".join(answered))["data"]["token"]
            parameters = json.loads(body)["data"].get("SESSION_PARAMETERS") or {}
            self.tags[token] = parameters.get("QUERY_TAG", "")

    def _record(self, authorization: str, sql: str) -> None:
        found = _TOKEN.search(authorization)
        token = found[1] if found else ""
        if changed := _CHANGED.match(sql):
            self.tags[token] = changed[1]
        tag = self.tags.get(token, "")
        self.statements.append(Tagged(sql, json.loads(tag) if tag else {}))
