"""S3 servers on loopback: moto's with a bucket, and one that rejects every request."""

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

# Moto searches some two hundred folders for each request, to find the service.
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
        """List the bucket's keys with another client than the tested one."""
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
    # Moto's state in this process outlives the server.
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
def enforced_policies(server: S3Server) -> Iterator[None]:
    """Make moto check signatures and policies, as AWS does."""
    reset = f"{server.endpoint_url}/moto-api/reset-auth"
    requests.post(reset, data=b"0", timeout=10).raise_for_status()
    try:
        yield
    finally:
        requests.post(reset, data=b"inf", timeout=10).raise_for_status()


@dataclass(frozen=True)
class Request:
    """A request that moto's server received."""

    method: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def signer(self) -> str:
        """Return the id of the access key that signed the request, or "nobody"."""
        signed = re.search("Credential=([^/]+)/", self.headers.get("Authorization", ""))
        return signed[1] if signed else "nobody"


@contextmanager
def recorded_requests() -> Iterator[list[Request]]:
    """Collect the requests to moto's server while the block runs."""
    recorded: list[Request] = []

    def record(_: object, **__: object) -> None:
        received = flask.request
        recorded.append(Request(received.method, received.headers, received.get_data(cache=True)))

    with flask.request_started.connected_to(record):
        yield recorded


def error_of(code: str, message: str) -> str:
    """Return an error response in S3's format."""
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"


@contextmanager
def refusing(status: int, error: str, region: str = "") -> Iterator[S3Server]:
    """Respond to every request with one error; responses to HEAD lack its body with the reason.

    `region` is the header in which S3 names the bucket's region.
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
