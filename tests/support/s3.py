"""An S3 server on loopback: moto's, over HTTP, with a bucket; and one that only refuses."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler

import flask
import moto.backends
import requests
from dagster_aws.s3 import S3Resource
from moto.backends import list_of_moto_modules
from moto.server import ThreadedMotoServer

from tests.support.http import serving

# Moto looks at some two hundred folders for each request, to know which service it is for.
moto.backends.list_of_moto_modules = cache(lambda: tuple(list_of_moto_modules()))

BUCKET = "amplitude-lake"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing-secret",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


@dataclass(frozen=True)
class S3Server:
    """A running server, and how to reach it."""

    endpoint_url: str

    @property
    def resource(self) -> S3Resource:
        """Return dagster-aws' resource for this server, with keys of its own."""
        return S3Resource(
            endpoint_url=self.endpoint_url,
            region_name=ENVIRONMENT["AWS_DEFAULT_REGION"],
            aws_access_key_id=ENVIRONMENT["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        )

    def keys(self, prefix: str = "") -> list[str]:
        """List the bucket's keys with another client than the one under test."""
        pages = self.resource.get_client().get_paginator("list_objects_v2")
        return [
            entry["Key"]
            for page in pages.paginate(Bucket=BUCKET, Prefix=prefix)
            for entry in page.get("Contents", [])
        ]


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run moto's server on a free port, with an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    running = S3Server(f"http://{host}:{port}")
    # Moto keeps its state in the process, beyond the server's life.
    requests.post(f"{running.endpoint_url}/moto-api/reset", timeout=10).raise_for_status()
    running.resource.get_client().create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": ENVIRONMENT["AWS_DEFAULT_REGION"]},
    )
    try:
        yield running
    finally:
        server.stop()


@contextmanager
def weighing_rights(server: S3Server) -> Iterator[None]:
    """Let moto's server check who signed and what their policies allow, as AWS does."""
    reset = f"{server.endpoint_url}/moto-api/reset-auth"
    requests.post(reset, data=b"0", timeout=10).raise_for_status()
    try:
        yield
    finally:
        requests.post(reset, data=b"inf", timeout=10).raise_for_status()


@dataclass(frozen=True)
class Request:
    """A request that moto's server took."""

    method: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def signer(self) -> str:
        """Return the id of the access key that signed it."""
        signed = re.search("Credential=([^/]+)/", self.headers.get("Authorization", ""))
        return signed[1] if signed else "nobody"


@contextmanager
def requests_taken() -> Iterator[list[Request]]:
    """Collect what is asked of moto's server meanwhile, as it came."""
    taken: list[Request] = []

    def note(_: object, **__: object) -> None:
        asked = flask.request
        taken.append(Request(asked.method, asked.headers, asked.get_data(cache=True)))

    with flask.request_started.connected_to(note):
        yield taken


def error_of(code: str, message: str) -> str:
    """Return an error as S3 words it."""
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"


@contextmanager
def refusing(status: int, error: str, region: str = "") -> Iterator[S3Server]:
    """Serve nothing but one refusal. Its reason is in the body, which an answer to HEAD lacks.

    `region` is the header in which S3 says where the bucket is.
    """

    def answer(request: BaseHTTPRequestHandler) -> None:
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'.encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        if region:
            request.send_header("x-amz-bucket-region", region)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    methods = {f"do_{name}": answer for name in ("GET", "HEAD", "PUT", "POST")}
    with serving(type("Refuses", (BaseHTTPRequestHandler,), methods)) as origin:
        yield S3Server(origin)
