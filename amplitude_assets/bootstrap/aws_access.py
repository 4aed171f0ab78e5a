"""Who may use the lake, set up on IAM: two policies, and the role that Snowflake takes on."""

import json
from dataclasses import dataclass
from typing import Any

from amplitude_assets.bootstrap import aws_documents as documents
from amplitude_assets.bootstrap.aws_answers import found, refusals
from amplitude_assets.bootstrap.aws_documents import Document, LakePlace
from amplitude_assets.bootstrap.steps import Outcome, SetupError, Step

WRITER_POLICY = "amplitude-assets-writer"
READER_POLICY = "amplitude-assets-snowflake-reader"
READER_ROLE = "amplitude-assets-snowflake"

_OLD_POLICY_VERSIONS = 4  # AWS keeps five, so the oldest goes before a sixth comes


@dataclass(frozen=True)
class Principal:
    """Snowflake's side of the handshake, as DESC INTEGRATION tells it."""

    user_arn: str
    external_id: str


class AccessSetup:
    """The steps that make the policies and the role, and those that remove them."""

    def __init__(self, iam: Any, sts: Any, lake: LakePlace) -> None:
        """Work with clients of IAM and of STS, which knows the account."""
        self._iam = iam
        self._sts = sts
        self._lake = lake

    def steps(self, principal: Principal | None) -> list[Step]:
        """Return the steps that make everything. Without `principal`, a trust stays as it is."""
        lake = self._lake
        return [
            Step(
                f"policy {WRITER_POLICY}",
                lambda: self._make_policy(WRITER_POLICY, documents.writer_policy(lake)),
            ),
            Step(
                f"policy {READER_POLICY}",
                lambda: self._make_policy(READER_POLICY, documents.reader_policy(lake)),
            ),
            Step(f"role {READER_ROLE}", lambda: self._make_role(principal)),
            Step(f"role {READER_ROLE}: policy", self._attach_reader_policy),
        ]

    def trust_steps(self, principal: Principal) -> list[Step]:
        """Return the step that completes the handshake."""
        return [Step(f"role {READER_ROLE}: trust", lambda: self._make_role(principal))]

    def removal_steps(self) -> list[Step]:
        """Return the steps that take everything away."""
        return [
            Step(f"role {READER_ROLE}", self._remove_role),
            Step(f"policy {READER_POLICY}", lambda: self._remove_policy(READER_POLICY)),
            Step(f"policy {WRITER_POLICY}", lambda: self._remove_policy(WRITER_POLICY)),
        ]

    def role_arn(self) -> str:
        """Return the ARN of the role that Snowflake takes on. Raises SetupError without it."""
        role = found(lambda: self._iam.get_role(RoleName=READER_ROLE))
        if role is None:
            raise SetupError(
                f"the role {READER_ROLE} is not there; run bootstrap aws --apply first"
            )
        return str(role["Role"]["Arn"])

    def _make_policy(self, name: str, wanted: Document) -> Outcome:
        arn = self._policy_arn(name)
        there = found(lambda: self._iam.get_policy(PolicyArn=arn))
        with refusals(f"cannot make the policy {name}"):
            if there is None:
                self._iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(wanted))
                return "made"
            version = there["Policy"]["DefaultVersionId"]
            held = self._iam.get_policy_version(PolicyArn=arn, VersionId=version)
            if held["PolicyVersion"]["Document"] == wanted:
                return "unchanged"
            self._drop_old_versions(arn, keep=_OLD_POLICY_VERSIONS)
            self._iam.create_policy_version(
                PolicyArn=arn, PolicyDocument=json.dumps(wanted), SetAsDefault=True
            )
            return "changed"

    def _make_role(self, principal: Principal | None) -> Outcome:
        wanted = trust_in(principal)
        there = found(lambda: self._iam.get_role(RoleName=READER_ROLE))
        with refusals(f"cannot make the role {READER_ROLE}"):
            if there is None:
                trust = json.dumps(wanted or documents.trust_in_nobody())
                self._iam.create_role(
                    RoleName=READER_ROLE,
                    AssumeRolePolicyDocument=trust,
                    Description="Snowflake reads the Amplitude lake with it",
                )
                return "made"
            if wanted is None or there["Role"]["AssumeRolePolicyDocument"] == wanted:
                return "unchanged"
            self._iam.update_assume_role_policy(
                RoleName=READER_ROLE, PolicyDocument=json.dumps(wanted)
            )
            return "changed"

    def _attach_reader_policy(self) -> Outcome:
        arn = self._policy_arn(READER_POLICY)
        with refusals(f"cannot attach {READER_POLICY} to {READER_ROLE}"):
            if arn in self._attached_policies():
                return "unchanged"
            self._iam.attach_role_policy(RoleName=READER_ROLE, PolicyArn=arn)
        return "made"

    def _remove_role(self) -> Outcome:
        if found(lambda: self._iam.get_role(RoleName=READER_ROLE)) is None:
            return "absent"
        with refusals(f"cannot remove the role {READER_ROLE}"):
            for arn in self._attached_policies():
                self._iam.detach_role_policy(RoleName=READER_ROLE, PolicyArn=arn)
            self._iam.delete_role(RoleName=READER_ROLE)
        return "removed"

    def _remove_policy(self, name: str) -> Outcome:
        arn = self._policy_arn(name)
        if found(lambda: self._iam.get_policy(PolicyArn=arn)) is None:
            return "absent"
        with refusals(f"cannot remove the policy {name}; detach it from what still uses it"):
            self._drop_old_versions(arn, keep=1)
            self._iam.delete_policy(PolicyArn=arn)
        return "removed"

    def _attached_policies(self) -> list[str]:
        pages = self._iam.get_paginator("list_attached_role_policies")
        return [
            policy["PolicyArn"]
            for page in pages.paginate(RoleName=READER_ROLE)
            for policy in page["AttachedPolicies"]
        ]

    def _drop_old_versions(self, arn: str, *, keep: int) -> None:
        versions = self._iam.list_policy_versions(PolicyArn=arn)["Versions"]
        old = sorted(
            (version for version in versions if not version["IsDefaultVersion"]),
            key=lambda version: version["CreateDate"],
        )
        for version in old[: max(0, len(versions) - keep)]:
            self._iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])

    def _policy_arn(self, name: str) -> str:
        with refusals("cannot sign in to AWS"):
            account = self._sts.get_caller_identity()["Account"]
        return f"arn:{self._lake.partition}:iam::{account}:policy/{name}"


def trust_in(principal: Principal | None) -> Document | None:
    """Return the document by which the role trusts Snowflake, or None before it is known."""
    if principal is None:
        return None
    return documents.trust_policy(principal.user_arn, principal.external_id)
