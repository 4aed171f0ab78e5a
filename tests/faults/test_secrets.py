"""Failing runs leave no secret on the disk, on the terminal or in a repr."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from amplitude_assets.config import Settings
from amplitude_assets.connections.amplitude import open_hour_source
from amplitude_assets.resources import build_resources
from tests.support.command import amplitude_assets
from tests.support.http import serving

API_KEY, SECRET_KEY = "k3y9f27ab61c", "s3cr3t0d41aa5e77"
PASSPHRASE, WEBHOOK = "pa55phra5e-of-the-key", "https://hooks.example.com/T0KEN-of-the-hook"
TOKEN_BEGINS = "eyJ"  # start of the JSON Web Token that the connector signs in with
BASIC = base64.b64encode(f"{API_KEY}:{SECRET_KEY}".encode()).decode()


class Echo(BaseHTTPRequestHandler):
    """Echo the request with its credentials, as a careless proxy's error page does."""

    status = 500
    body = b""

    def do_GET(self) -> None:
        echoed = f"{self.path} {self.headers} {API_KEY}:{SECRET_KEY} {quote(BASIC)}".encode()
        echoed += self.body
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(echoed)))
        self.send_header("Location", f"http://{API_KEY}:{SECRET_KEY}@127.0.0.1/elsewhere")
        self.end_headers()
        self.wfile.write(echoed)

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()


@contextmanager
def echo(status: int) -> Iterator[str]:
    """Serve `Echo` with this status, and yield its origin."""
    with serving(type("EchoWithStatus", (Echo,), {"status": status})) as origin:
        yield origin


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate a private key encrypted with the passphrase."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = tmp_path_factory.mktemp("key") / "rsa_key.p8"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(PASSPHRASE.encode()),
        )
    )
    return path


def environment(folder: Path, origin: str, key_file: Path) -> dict[str, str]:
    return {
        "AMPLITUDE_API_KEY": API_KEY,
        "AMPLITUDE_SECRET_KEY": SECRET_KEY,
        "AMPLITUDE_PROJECT_ID": "187520",
        "AMPLITUDE_BASE_URL": origin,
        "ALERT_WEBHOOK_URL": WEBHOOK,
        "SNOWFLAKE_PRIVATE_KEY_PATH": str(key_file),
        "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": PASSPHRASE,
        "DATA_DIR": str(folder / "data"),
    }


def private_parts(key_file: Path, text: str) -> list[str]:
    """Return the lines of the key, encrypted or decrypted, that occur in a text."""
    encrypted = key_file.read_bytes()
    key = serialization.load_pem_private_key(encrypted, PASSPHRASE.encode())
    decrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    lines = (encrypted + decrypted).decode().splitlines()
    return [line for line in lines if not line.startswith("-----") and line in text]


def secrets() -> list[bytes]:
    """Return each secret, and its encoded forms."""
    words = [API_KEY, SECRET_KEY, PASSPHRASE, WEBHOOK, BASIC, quote(BASIC, safe="")]
    return [word.encode() for word in words]


def leaks(folder: Path, *texts: str) -> list[str]:
    """Return the files under a folder and the texts that contain a secret."""
    found = [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(secret in path.read_bytes() for secret in secrets())
    ]
    return found + [
        f"text {n}: {text}"
        for n, text in enumerate(texts)
        if any(secret in text.encode() for secret in secrets())
    ]


@pytest.mark.parametrize("status", [400, 401, 302])
def test_a_failing_run_leaves_no_secret(status: int, key_file: Path, tmp_path: Path) -> None:
    with echo(status) as origin:
        env = environment(tmp_path, origin, key_file)
        failed = amplitude_assets("run", "--last", "1", env=env, cwd=tmp_path)
    assert failed.returncode in (1, 2)
    assert failed.stderr
    assert leaks(tmp_path, failed.stdout, failed.stderr) == []


@pytest.mark.parametrize(
    ("command", "passphrase"), [("status", PASSPHRASE), ("run", f"{PASSPHRASE}-but-another")]
)
def test_a_failing_snowflake_sign_in_leaves_no_secret(
    command: str, passphrase: str, key_file: Path, tmp_path: Path
) -> None:
    """The server rejects the token and echoes it; a wrong passphrase does not decrypt the key."""
    with echo(403) as origin:
        env = environment(tmp_path, origin, key_file) | {
            "WAREHOUSE": "snowflake",
            "LAKE_URL": "s3://lake/prefix",
            "AWS_ENDPOINT_URL_S3": origin,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "SNOWFLAKE_ACCOUNT": "org-account",
            "SNOWFLAKE_USER": "amplitude",
            "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": passphrase,
            "SNOWFLAKE_ROLE": "amplitude",
            "SNOWFLAKE_WAREHOUSE": "amplitude",
            "SNOWFLAKE_DATABASE": "amplitude",
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_PORT": origin.rpartition(":")[2],
            "SNOWFLAKE_PROTOCOL": "http",
        }
        failed = amplitude_assets(command, "--last", "1", env=env, cwd=tmp_path)
    output = failed.stdout + failed.stderr
    assert failed.returncode in (1, 2), output
    assert "SNOWFLAKE" in output.upper()
    assert "Traceback" not in output
    assert leaks(tmp_path, output) == []
    assert private_parts(key_file, output) == []
    assert TOKEN_BEGINS not in output


def test_a_repr_shows_no_secret(key_file: Path, tmp_path: Path) -> None:
    origin = "http://127.0.0.1:9"
    env = {k.lower(): v for k, v in environment(tmp_path, origin, key_file).items()}
    settings = Settings(**env)
    with open_hour_source(settings) as client:
        shown = [repr(client), str(client), repr(vars(client).get("_thread"))]
    resources = build_resources(settings)
    shown += [repr(settings), str(settings), settings.model_dump_json(), repr(resources)]
    shown += [repr(resource) for resource in resources.values()]
    assert leaks(tmp_path, *shown) == []


def test_git_ignores_dotenv() -> None:
    assert "/.env" in (Path(__file__).parents[2] / ".gitignore").read_text().splitlines()
