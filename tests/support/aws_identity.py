"""A fake of AWS's credential services for machines, containers and people, on loopback."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.support.http import serving

PROFILE = "work"
_INSTANCE = "/latest/meta-data/iam/security-credentials/"
_ROLE = "pipeline"
_METADATA_TOKEN = "of-the-second-version"
_CONTAINER_TOKEN = "of-the-container"
_SSO_TOKEN = "of-the-person"
_SSO_SESSION = "company"


@dataclass
class IdentityServer:
    """A running server, with the ids of the keys that it issued."""

    url: str = ""
    keys_live: timedelta = timedelta(hours=6)
    sso_is_valid: bool = True
    given: list[str] = field(default_factory=list)

    def for_a_machine(self) -> dict[str, str]:
        """Return the variables that make AWS's libraries use this as EC2's metadata service."""
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url}

    def for_a_container(self) -> dict[str, str]:
        """Return the variables that ECS and EKS set in a container."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": _CONTAINER_TOKEN,
        }

    def for_a_person(self, folder: Path, signed_in_until: datetime | None) -> dict[str, str]:
        """Write the files of `aws configure sso` and, unless None, of `aws sso login`."""
        (folder / "config").write_text(
            f"[profile {PROFILE}]\nsso_session = {_SSO_SESSION}\nsso_account_id = 123456789012\n"
            f"sso_role_name = {_ROLE}\n[sso-session {_SSO_SESSION}]\nsso_region = eu-central-1\n"
            f"sso_start_url = {self.url}/start\n"
        )
        if signed_in_until is not None:
            token = {
                "accessToken": _SSO_TOKEN,
                "expiresAt": f"{signed_in_until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            }
            name = sha1(_SSO_SESSION.encode(), usedforsecurity=False).hexdigest()
            (folder / f"{name}.json").write_text(json.dumps(token))
        return {
            "AWS_PROFILE": PROFILE,
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_ENDPOINT_URL_SSO": self.url,
        }

    def answer(self, method: str, path: str, headers: Any) -> tuple[int, str]:
        """Respond to a request as AWS's services do, if it is authorised."""
        endpoint = (method, path.partition("?")[0])
        if endpoint == ("PUT", "/latest/api/token"):
            return 200, _METADATA_TOKEN
        if (
            endpoint[1].startswith(_INSTANCE)
            and headers["x-aws-ec2-metadata-token"] == _METADATA_TOKEN
        ):
            return 200, json.dumps(self._keys("machine")) if _ROLE in path else _ROLE
        if endpoint == ("GET", "/container") and headers["Authorization"] == _CONTAINER_TOKEN:
            return 200, json.dumps(self._keys("container"))
        signed_in = headers["x-amz-sso_bearer_token"] == _SSO_TOKEN and self.sso_is_valid
        if endpoint == ("GET", "/federation/credentials") and signed_in:
            return 200, json.dumps({"roleCredentials": self._keys_of_sso()})
        return 401, json.dumps({"__type": "UnauthorizedException", "message": "no"})

    def _keys(self, whose: str) -> dict[str, str]:
        self.given.append(f"{whose}-{len(self.given) + 1}")
        until = datetime.now(UTC) + self.keys_live
        return {
            "Code": "Success",
            "AccessKeyId": self.given[-1],
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}",
        }

    def _keys_of_sso(self) -> dict[str, object]:
        keys = self._keys("person")
        return {
            "accessKeyId": keys["AccessKeyId"],
            "secretAccessKey": keys["SecretAccessKey"],
            "sessionToken": keys["Token"],
            "expiration": int(datetime.fromisoformat(keys["Expiration"]).timestamp() * 1000),
        }


@contextmanager
def identity_server() -> Iterator[IdentityServer]:
    """Run the server on a free port."""
    identity = IdentityServer()

    def answer(request: BaseHTTPRequestHandler) -> None:
        status, body = identity.answer(request.command, request.path, request.headers)
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body.encode())

    handler = type("Handler", (BaseHTTPRequestHandler,), {"do_GET": answer, "do_PUT": answer})
    with serving(handler) as identity.url:
        yield identity
