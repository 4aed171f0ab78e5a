"""Set up Snowflake: warehouses, database, roles, users, storage integration and stage.

Every statement is idempotent. The integration is created once and altered if needed, but never
replaced. DESC INTEGRATION then names the user that the AWS role has to trust.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import resources
from io import StringIO
from typing import TYPE_CHECKING, Any

from amplitude_assets.bootstrap.aws_access import Principal
from amplitude_assets.bootstrap.keys import fingerprint_of
from amplitude_assets.bootstrap.steps import Outcome, SetupError, Step
from amplitude_assets.warehouse.identifiers import identifier
from amplitude_assets.warehouse.snowflake.errors import explain
from amplitude_assets.warehouse.snowflake.probe import properties_of
from amplitude_assets.warehouse.snowflake.warehouse import READER_WAREHOUSE

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

_USER_ARN = "STORAGE_AWS_IAM_USER_ARN"
_EXTERNAL_ID = "STORAGE_AWS_EXTERNAL_ID"
_ROLE_ARN = "STORAGE_AWS_ROLE_ARN"
_LOCATIONS = "STORAGE_ALLOWED_LOCATIONS"
_ROLE_ARN_PARTS = re.compile(r"arn:([\w-]+):iam::(\d+):role/(?:.*/)?([^/]+)")
# docs/snowflake.md justifies both with its sizing table.
_CREDIT_QUOTA = 100
_READER_CREDIT_QUOTA = 30
_SYSTEM_ROLES = {
    "ACCOUNTADMIN", "GLOBALORGADMIN", "ORGADMIN", "PUBLIC", "SECURITYADMIN", "SYSADMIN", "USERADMIN"
}  # fmt: skip


@dataclass(frozen=True)
class SnowflakeNames:
    """The names and values of all objects. Names are validated; other values are quoted in SQL.

    `location` is the lake's URL with a trailing slash. The user signs in with a `public_key` (the
    base64 between a PEM file's first and last line) or as an AWS role, `identity_arn`. A
    `reader_key` adds a user for dashboards, and `rebuild_warehouse` a larger warehouse for full
    rebuilds. A quota of None keeps an existing monitor's quota. `usage_access` lets the role read
    the usage of the whole account.
    """

    database: str
    role: str
    user: str
    warehouse: str
    stage: str
    location: str
    role_arn: str
    public_key: str | None = None
    identity_arn: str | None = None
    reader_key: str | None = None
    credit_quota: int | None = None
    reader_credit_quota: int | None = None
    usage_access: bool = False
    rebuild_warehouse: str | None = None
    loader: str = "AMPLITUDE_LOADER"
    transformer: str = "AMPLITUDE_TRANSFORMER"
    reader: str = "AMPLITUDE_READER"
    reader_warehouse: str = READER_WAREHOUSE
    monitor: str = "AMPLITUDE_MONTHLY"
    reader_monitor: str = "AMPLITUDE_READER_MONTHLY"
    integration: str = "AMPLITUDE_LAKE"

    def __post_init__(self) -> None:
        """Raise ValueError for an invalid name or ARN, a duplicate role, or a system role."""
        for name in (self.database, self.user, self.warehouse, self.monitor, self.integration):
            identifier(name)
        for name in (self.reader_warehouse, self.reader_monitor):
            identifier(name)
        if self.rebuild_warehouse is not None:
            identifier(self.rebuild_warehouse)
        if self.identity_arn is not None and not _ROLE_ARN_PARTS.fullmatch(self.identity_arn):
            raise ValueError(f"{self.identity_arn} is not the ARN of an AWS role")
        roles = [self.role, self.loader, self.transformer, self.reader]
        if len({identifier(role).upper() for role in roles}) < len(roles):
            raise ValueError(
                f"SNOWFLAKE_ROLE {self.role} is the name of one of the roles granted to it; "
                "choose another name"
            )
        if taken := {role.upper() for role in roles} & _SYSTEM_ROLES:
            raise ValueError(f"{taken.pop()} is a system role of Snowflake; choose another name")
        identifier(self.stage, parts=3)

    @property
    def parts(self) -> dict[str, str]:
        """The values of the placeholders in the SQL files."""
        texts = {"location", "role_arn", "public_key", "identity_arn", "reader_key"}
        values = {name: value for name, value in asdict(self).items() if value is not None}
        quoted = {name: quote(str(values[name])) for name in texts & set(values)}
        stage = self.stage if self.stage.count(".") == 2 else f"{self.database}.{self.stage}"
        quotas = {"credit_quota": _CREDIT_QUOTA, "reader_credit_quota": _READER_CREDIT_QUOTA}
        plain = {name: str(value) for name, value in (quotas | values).items()}
        return {**plain, **quoted, "stage": stage}


def quote(text: str) -> str:
    """Return text as a SQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def scripts(names: SnowflakeNames) -> list[str]:
    """Return the names of the set-up scripts, in order."""
    user = "user_with_identity" if names.identity_arn else "user_with_key"
    reader = ["reader_user"] if names.reader_key else []
    usage = ["usage_access"] if names.usage_access else []
    rebuild = ["rebuild_warehouse"] if names.rebuild_warehouse else []
    users = [*usage, user, *reader]
    return ["warehouses", "database", "roles", *rebuild, *users, "integration", "stage"]


def removal_scripts(names: SnowflakeNames, *, delete_data: bool) -> list[str]:
    """Return the names of the scripts that drop everything; the data only with `delete_data`."""
    rebuild = ["rebuild_warehouse_removal"] if names.rebuild_warehouse else []
    return [*rebuild, "removal", *(["data_removal"] if delete_data else [])]


def render(names: SnowflakeNames, chosen: Sequence[str]) -> str:
    """Return the SQL of these scripts, to paste into a worksheet."""
    folder = resources.files(__package__) / "sql"
    filled = [(folder / f"{name}.sql").read_text().format_map(names.parts) for name in chosen]
    return "\n".join(["use role accountadmin;\n", *filled])


class SnowflakeSetup:
    """The set-up of Snowflake over one connection of an administrator."""

    def __init__(self, connection: "SnowflakeConnection", names: SnowflakeNames) -> None:
        """Use a connection whose role may create everything, such as ACCOUNTADMIN."""
        self._connection = connection
        self._names = names

    def steps(self) -> Iterator[Step]:
        """Yield all set-up steps."""
        names = self._names
        keys = {"user_with_key": (names.user, names.public_key or "")}
        keys["reader_user"] = (names.reader, names.reader_key or "")
        after = {
            "integration": [Step("integration: role and location", self._change_integration)],
            "stage": [Step("stage: location", self._change_stage)],
            "warehouses": [
                Step(
                    f"resource monitor: {who} credits", partial(self._change_quota, monitor, quota)
                )
                for who, monitor, quota in (
                    ("pipeline's", names.monitor, names.credit_quota),
                    ("readers'", names.reader_monitor, names.reader_credit_quota),
                )
                if quota is not None
            ],
        }
        for script in scripts(names):
            apply: Callable[[], Outcome] = partial(self._run, script)
            if script in keys:
                apply = partial(self._make_user, script, *keys[script])
            elif script == "user_with_identity":
                apply = self._make_user_with_identity
            yield Step(_STEP_NAMES[script], apply)
            yield from after.get(script, [])

    def removal_steps(self, *, delete_data: bool) -> list[Step]:
        """Return the steps that drop everything; the database only with `delete_data`."""
        names = {
            "removal": "users, roles, warehouses, integration",
            "rebuild_warehouse_removal": "warehouse of full rebuilds",
            "data_removal": f"database {self._names.database} and every table in it",
        }
        return [
            Step(names[script], partial(self._run, script))
            for script in removal_scripts(self._names, delete_data=delete_data)
        ]

    def principal(self) -> Principal:
        """Return Snowflake's user and external id, which the AWS role has to trust.

        Raises SetupError when DESC INTEGRATION does not list them.
        """
        described = self._describe("integration", self._names.integration)
        if not described.get(_USER_ARN) or not described.get(_EXTERNAL_ID):
            raise SetupError(
                f"DESC INTEGRATION {self._names.integration} does not list both {_USER_ARN} and "
                f"{_EXTERNAL_ID}; run it in a worksheet to see why"
            )
        return Principal(described[_USER_ARN], described[_EXTERNAL_ID])

    def _make_user(self, script: str, user: str, key: str) -> Outcome:
        """Create a user or set its key; return `changed` when it had another key."""
        try:
            held = self._describe("user", user).get("RSA_PUBLIC_KEY_FP")
        except SetupError:  # the user does not exist yet
            held = None
        outcome = self._run(script)
        return "changed" if outcome == "unchanged" and held != fingerprint_of(key) else outcome

    def _make_user_with_identity(self) -> Outcome:
        """Create the user or set its AWS role; return `changed` when it had another role."""
        held = self._held_identity()
        outcome = self._run("user_with_identity")
        is_changed = outcome == "unchanged" and held != _role_of(self._names.identity_arn or "")
        return "changed" if is_changed else outcome

    def _held_identity(self) -> tuple[str, ...] | None:
        """Return partition, account and name of the AWS role that the user signs in as."""
        methods = "show user workload identity authentication methods for user"
        try:
            rows = self._rows(f"{methods} {self._names.user}")
        except SetupError:  # the user does not exist yet
            return None
        for row in rows:
            if row["type"] == "AWS":
                role = json.loads(row["additional_info"])
                name = role["iamRole"].rpartition("/")[2]
                return role["awsPartition"], role["awsAccount"], name
        return None

    def _change_quota(self, monitor: str, quota: int) -> Outcome:
        rows = self._rows(f"show resource monitors like '{monitor}'")
        if [float(row["credit_quota"]) for row in rows] == [quota]:
            return "unchanged"
        self._execute(f"alter resource monitor {monitor} set credit_quota = {quota}")
        return "changed"

    def _change_integration(self) -> Outcome:
        names = self._names
        held = self._describe("integration", names.integration)
        if (held.get(_ROLE_ARN), held.get(_LOCATIONS)) == (names.role_arn, names.location):
            return "unchanged"
        self._run("change_integration")
        return "changed"

    def _change_stage(self) -> Outcome:
        held = self._describe("stage", self._names.parts["stage"])
        if held.get("URL", "").strip('[]"') == self._names.location:
            return "unchanged"
        self._run("change_stage")
        return "changed"

    def _describe(self, kind: str, name: str) -> dict[str, str]:
        """Return the properties that DESC lists, by name."""
        return properties_of(self._execute(f"desc {kind} {name}"))

    def _rows(self, statement: str) -> list[dict[str, Any]]:
        """Return the rows of a statement, by lower-case name of the column."""
        cursor = self._execute(statement)
        columns = [column.name.lower() for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def _run(self, script: str) -> Outcome:
        """Run a script; the outcome is derived from Snowflake's status messages."""
        from snowflake.connector.util_text import split_statements

        text = render(self._names, [script])
        changed = False
        for statement, _ in split_statements(StringIO(text), remove_comments=True):
            if statement:
                row = self._execute(statement).fetchone()
                status = str(row[0] if row else "").lower()
                changed |= "successfully created" in status or "successfully dropped" in status
        if script.endswith("removal"):
            return "removed" if changed else "absent"
        return "created" if changed else "unchanged"

    def _execute(self, statement: str) -> "SnowflakeCursor":
        from snowflake.connector.errors import Error

        try:
            cursor = self._connection.cursor()
            cursor.execute(statement)
        except Error as error:
            first = " ".join(statement.split())[:60]
            raise SetupError(f"{explain(error)} (at: {first} …)") from None
        return cursor


def _role_of(arn: str) -> tuple[str, ...]:
    """Return partition, account and name of an AWS role's ARN."""
    found = _ROLE_ARN_PARTS.fullmatch(arn)
    return found.groups() if found else ()


_STEP_NAMES = {
    "warehouses": "warehouses and resource monitors",
    "database": "database and schemas",
    "roles": "roles and grants",
    "usage_access": "access to the account's usage",
    "rebuild_warehouse": "warehouse of full rebuilds",
    "user_with_key": "the pipeline's user, with its key",
    "user_with_identity": "the pipeline's user, with its AWS role",
    "reader_user": "the user for dashboards, with its key",
    "integration": "storage integration",
    "stage": "file format and stage",
}
