"""An S3 server on loopback: moto's, over HTTP, with a bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests
from dagster_aws.s3 import S3Resource
from moto.server import ThreadedMotoServer

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
