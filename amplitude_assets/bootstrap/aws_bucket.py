"""Set up the lake's bucket in S3: encrypted, versioned, private, TLS only."""

import json
from typing import Any

from amplitude_assets.bootstrap import aws_documents as documents
from amplitude_assets.bootstrap.aws_documents import LakePlace
from amplitude_assets.bootstrap.aws_errors import read_if_exists, setup_errors
from amplitude_assets.bootstrap.steps import Outcome, SetupError, Step


class BucketSetup:
    """The steps that create and configure the bucket, and the step that deletes it."""

    def __init__(self, s3: Any, lake: LakePlace) -> None:
        """Use a client of S3 in the bucket's region."""
        self._s3 = s3
        self._lake = lake

    def steps(self) -> list[Step]:
        """Return the steps that create and configure the bucket."""
        return [
            Step(f"bucket {self._lake.bucket}", self._make_bucket),
            Step("bucket: encryption", self._make_encrypted),
            Step("bucket: versioning", self._make_versioned),
            Step("bucket: nothing public", self._make_private),
            Step("bucket: lifecycle", self._make_lifecycle),
            Step("bucket: TLS only", self._make_bucket_policy),
        ]

    def removal_steps(self) -> list[Step]:
        """Return the step that deletes the bucket with all its objects."""
        return [Step(f"bucket {self._lake.bucket} and every object in it", self._remove_bucket)]

    def _make_bucket(self) -> Outcome:
        bucket, region = self._lake.bucket, self._lake.region
        # Bucket names are global: S3 responds 403 for a bucket of another account.
        taken = f"cannot use the bucket {bucket}; if it is not yours, choose another name"
        if read_if_exists(lambda: self._s3.head_bucket(Bucket=bucket), taken) is not None:
            return "unchanged"
        arguments: dict[str, Any] = {"Bucket": bucket, "ObjectOwnership": "BucketOwnerEnforced"}
        if region != "us-east-1":  # S3 rejects it as a LocationConstraint
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": region}
        with setup_errors(f"cannot create the bucket {bucket}"):
            self._s3.create_bucket(**arguments)
        return "created"

    def _make_encrypted(self) -> Outcome:
        bucket, wanted = self._lake.bucket, documents.encryption(self._lake)
        current = read_if_exists(lambda: self._s3.get_bucket_encryption(Bucket=bucket))
        held = current and current["ServerSideEncryptionConfiguration"]
        # Without LAKE_KMS_KEY_ID, any encryption that the bucket has is accepted.
        if held and (self._lake.kms_key_id is None or _includes(held, wanted)):
            return "unchanged"
        with setup_errors(f"cannot set the encryption of {bucket}"):
            self._s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=wanted)
        return "changed" if held else "created"

    def _make_private(self) -> Outcome:
        bucket, wanted = self._lake.bucket, documents.public_access_block()
        current = read_if_exists(lambda: self._s3.get_public_access_block(Bucket=bucket))
        held = current and current["PublicAccessBlockConfiguration"]
        if _includes(held, wanted):
            return "unchanged"
        with setup_errors(f"cannot block public access to {bucket}"):
            self._s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=wanted)
        return "changed" if held else "created"

    def _make_lifecycle(self) -> Outcome:
        """Merge our rules with the bucket's others: S3 replaces all rules at once."""
        bucket, wanted = self._lake.bucket, documents.lifecycle()["Rules"]
        current = read_if_exists(lambda: self._s3.get_bucket_lifecycle_configuration(Bucket=bucket))
        held = {rule["ID"]: rule for rule in (current or {}).get("Rules", [])}
        if all(_includes(held.get(rule["ID"]), rule) for rule in wanted):
            return "unchanged"
        rules = {**held, **{rule["ID"]: rule for rule in wanted}}
        with setup_errors(f"cannot set the lifecycle of {bucket}"):
            self._s3.put_bucket_lifecycle_configuration(
                Bucket=bucket, LifecycleConfiguration={"Rules": list(rules.values())}
            )
        return "changed" if held else "created"

    def _make_versioned(self) -> Outcome:
        bucket = self._lake.bucket
        with setup_errors(f"cannot set the versioning of {bucket}"):
            if self._s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled":
                return "unchanged"
            self._s3.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        return "created"

    def _make_bucket_policy(self) -> Outcome:
        bucket, wanted = self._lake.bucket, documents.bucket_policy(self._lake)
        current = read_if_exists(lambda: self._s3.get_bucket_policy(Bucket=bucket))
        if current is not None and json.loads(current["Policy"]) == wanted:
            return "unchanged"
        if current is not None:
            raise SetupError(
                f"the bucket {bucket} already has a policy; add the statement OnlyOverTls, which "
                "bootstrap aws shows, to it by hand"
            )
        with setup_errors(f"cannot set the policy of {bucket}"):
            self._s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(wanted))
        return "created"

    def _remove_bucket(self) -> Outcome:
        bucket = self._lake.bucket
        if read_if_exists(lambda: self._s3.head_bucket(Bucket=bucket)) is None:
            return "absent"
        with setup_errors(f"cannot delete the bucket {bucket}"):
            pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
            for page in pages:
                every = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                named = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in every]
                if named:
                    self._s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
            self._s3.delete_bucket(Bucket=bucket)
        return "removed"


def _includes(held: Any, wanted: Any) -> bool:
    """Return whether `held` contains all of `wanted`; AWS adds fields with defaults."""
    if isinstance(wanted, dict):
        return isinstance(held, dict) and all(
            _includes(held.get(name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(held, list)
            and len(held) == len(wanted)
            and all(map(_includes, held, wanted))
        )
    return bool(held == wanted)
