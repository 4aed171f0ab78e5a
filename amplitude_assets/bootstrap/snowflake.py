"""The Snowflake half of the set-up: warehouses, database, roles, user, integration and stage.

Every statement can be run again and changes nothing then. The integration is made once and altered
where need be, never replaced. Once there, DESC INTEGRATION tells whom the AWS role has to trust.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import resources
from io import StringIO
from typing import TYPE_CHECKING

from amplitude_assets.bootstrap.aws_access import Principal
from amplitude_assets.bootstrap.keys import fingerprint_of
from amplitude_assets.bootstrap.steps import Outcome, SetupError, Step
from amplitude_assets.warehouse.identifiers import identifier
from amplitude_assets.warehouse.snowflake_errors import explain
from amplitude_assets.warehouse.snowflake_probe import properties_of

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

_USER_ARN = "STORAGE_AWS_IAM_USER_ARN"
_EXTERNAL_ID = "STORAGE_AWS_EXTERNAL_ID"
_ROLE_ARN = "STORAGE_AWS_ROLE_ARN"
_LOCATIONS = "STORAGE_ALLOWED_LOCATIONS"
_CREDIT_QUOTA = 100
_SYSTEM_ROLES = {
    "ACCOUNTADMIN", "GLOBALORGADMIN", "ORGADMIN", "PUBLIC", "SECURITYADMIN", "SYSADMIN", "USERADMIN"
}  # fmt: skip


@dataclass(frozen=True)
class SnowflakeNames:
    """What everything is called. Names are checked; the rest becomes text in SQL.

    `location` is the lake's URL with a slash at its end. The user has a `public_key` (the base64
    between a PEM file's first and last line) or an `identity_arn`, an AWS role. With a
    `reader_key` there is a user for dashboards too. `credit_quota` None leaves the monitor's own.
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
    loader: str = "AMPLITUDE_LOADER"
    transformer: str = "AMPLITUDE_TRANSFORMER"
    reader: str = "AMPLITUDE_READER"
    reader_warehouse: str = "AMPLITUDE_READER_WH"
    monitor: str = "AMPLITUDE_MONTHLY"
    integration: str = "AMPLITUDE_LAKE"

    def __post_init__(self) -> None:
        """Refuse with ValueError what is not a name, or a name that is used twice."""
        for name in (self.database, self.user, self.warehouse, self.monitor, self.integration):
            identifier(name)
        identifier(self.reader_warehouse)
        roles = [self.role, self.loader, self.transformer, self.reader]
        if len({identifier(role).upper() for role in roles}) < len(roles):
            raise ValueError(f"{self.role} is one of the roles that it is to be made of")
        if taken := {role.upper() for role in roles} & _SYSTEM_ROLES:
            raise ValueError(f"{taken.pop()} is a role of Snowflake's own; give it another name")
        identifier(self.stage, parts=3)

    @property
    def parts(self) -> dict[str, str]:
        """Return what stands in for the braces of the SQL files."""
        texts = {"location", "role_arn", "public_key", "identity_arn", "reader_key"}
        values = {name: value for name, value in asdict(self).items() if value is not None}
        quoted = {name: quote(str(values[name])) for name in texts & set(values)}
        stage = self.stage if self.stage.count(".") == 2 else f"{self.database}.{self.stage}"
        plain = {"credit_quota": str(_CREDIT_QUOTA)} | {k: str(v) for k, v in values.items()}
        return {**plain, **quoted, "stage": stage}


def quote(text: str) -> str:
    """Return text as SQL writes it, between quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def scripts(names: SnowflakeNames) -> list[str]:
    """Return the names of the scripts that make everything, in their order."""
    user = "user_with_identity" if names.identity_arn else "user_with_key"
    reader = ["reader_user"] if names.reader_key else []
    return ["warehouses", "database", "roles", user, *reader, "integration", "stage"]


def render(names: SnowflakeNames, chosen: Sequence[str]) -> str:
    """Return scripts as one text that can be pasted into a worksheet."""
    folder = resources.files(__package__) / "sql"
    filled = [(folder / f"{name}.sql").read_text().format_map(names.parts) for name in chosen]
    return "\n".join(["use role accountadmin;\n", *filled])


class SnowflakeSetup:
    """The Snowflake half, over one connection of an administrator."""

    def __init__(self, connection: "SnowflakeConnection", names: SnowflakeNames) -> None:
        """Work on a connection whose role may make everything, such as ACCOUNTADMIN."""
        self._connection = connection
        self._names = names

    def steps(self) -> Iterator[Step]:
        """Yield the steps that make everything."""
        names = self._names
        keys = {"user_with_key": (names.user, names.public_key or "")}
        keys["reader_user"] = (names.reader, names.reader_key or "")
        after = {
            "integration": Step("integration: role and location", self._change_integration),
            "stage": Step("stage: location", self._change_stage),
        }
        if names.credit_quota is not None:
            after["warehouses"] = Step("resource monitor: credits", self._change_quota)
        for script in scripts(names):
            apply = partial(self._run, script)
            if script in keys:
                apply = partial(self._make_user, script, *keys[script])
            yield Step(_TOLD[script], apply)
            if script in after:
                yield after[script]

    def removal_steps(self, *, delete_data: bool) -> list[Step]:
        """Return the steps that take everything away; the database only with `delete_data`."""
        steps = [Step("users, roles, warehouses, integration", lambda: self._run("removal"))]
        if delete_data:
            name = f"database {self._names.database} and every table in it"
            steps.append(Step(name, lambda: self._run("data_removal")))
        return steps

    def principal(self) -> Principal:
        """Return whom the AWS role has to trust: Snowflake's user, and the external id it names."""
        described = self._describe("integration", self._names.integration)
        if not described.get(_USER_ARN) or not described.get(_EXTERNAL_ID):
            raise SetupError(
                f"DESC INTEGRATION {self._names.integration} tells neither {_USER_ARN} nor "
                f"{_EXTERNAL_ID}; look at it in a worksheet"
            )
        return Principal(described[_USER_ARN], described[_EXTERNAL_ID])

    def _make_user(self, script: str, user: str, key: str) -> Outcome:
        """Make a user or set its key, and say when it had another one."""
        try:
            held = self._describe("user", user).get("RSA_PUBLIC_KEY_FP")
        except SetupError:  # there is no such user yet
            held = None
        outcome = self._run(script)
        return "changed" if outcome == "unchanged" and held != fingerprint_of(key) else outcome

    def _change_quota(self) -> Outcome:
        cursor = self._execute(f"show resource monitors like '{self._names.monitor}'")
        columns = [column.name.lower() for column in cursor.description]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        if [float(row["credit_quota"]) for row in rows] == [self._names.credit_quota]:
            return "unchanged"
        self._run("change_quota")
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
        """Return what DESC tells, by the name of the property."""
        return properties_of(self._execute(f"desc {kind} {name}"))

    def _run(self, script: str) -> Outcome:
        """Run a script, and say from Snowflake's answers whether it had to make anything."""
        from snowflake.connector.util_text import split_statements

        text = render(self._names, [script])
        made = False
        for statement, _ in split_statements(StringIO(text), remove_comments=True):
            if statement:
                answer = self._execute(statement).fetchone()
                told = str(answer[0] if answer else "").lower()
                made = made or "successfully created" in told or "successfully dropped" in told
        if script in ("removal", "data_removal"):
            return "removed" if made else "absent"
        return "made" if made else "unchanged"

    def _execute(self, statement: str) -> "SnowflakeCursor":
        from snowflake.connector.errors import Error

        try:
            cursor = self._connection.cursor()
            cursor.execute(statement)
        except Error as error:
            first = " ".join(statement.split())[:60]
            raise SetupError(f"{explain(error)} (at: {first} …)") from None
        return cursor


_TOLD = {
    "warehouses": "warehouses and resource monitor",
    "database": "database and schemas",
    "roles": "roles and grants",
    "user_with_key": "the pipeline's user, with its key",
    "user_with_identity": "the pipeline's user, with its AWS role",
    "reader_user": "the user for dashboards, with its key",
    "integration": "storage integration",
    "stage": "file format and stage",
}
