"""Set up access to the lake in IAM: two policies, and the role that Snowflake assumes."""

import json
from dataclasses import dataclass
from typing import Any

from amplitude_assets.bootstrap import aws_documents as documents
from amplitude_assets.bootstrap.aws_documents import Document, LakePlace
from amplitude_assets.bootstrap.aws_errors import read_if_exists, setup_errors
from amplitude_assets.bootstrap.steps import Outcome, SetupError, Step

WRITER_POLICY = "amplitude-assets-writer"
READER_POLICY = "amplitude-assets-snowflake-reader"
READER_ROLE = "amplitude-assets-snowflake"

_OLD_POLICY_VERSIONS = 4  # AWS allows five, so the oldest is deleted before adding a sixth


@dataclass(frozen=True)
class Principal:
    """Snowflake's user that assumes the role, from DESC INTEGRATION."""

    user_arn: str
    external_id: str


class AccessSetup:
    """The steps that create and delete the policies and the role."""

    def __init__(self, iam: Any, sts: Any, lake: LakePlace) -> None:
        """Use clients of IAM, and of STS to get the account id."""
        self._iam = iam
        self._sts = sts
        self._lake = lake

    def steps(self, principal: Principal | None) -> list[Step]:
        """Return all set-up steps. Without `principal`, an existing trust policy is kept."""
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
        """Return the step that lets `principal` assume the role."""
        return [Step(f"role {READER_ROLE}: trust", lambda: self._make_role(principal))]

    def removal_steps(self) -> list[Step]:
        """Return the steps that delete everything."""
        return [
            Step(f"role {READER_ROLE}", self._remove_role),
            Step(f"policy {READER_POLICY}", lambda: self._remove_policy(READER_POLICY)),
            Step(f"policy {WRITER_POLICY}", lambda: self._remove_policy(WRITER_POLICY)),
        ]

    def role_arn(self) -> str:
        """Return the ARN of the role that Snowflake assumes. Raises SetupError if it is missing."""
        role = read_if_exists(lambda: self._iam.get_role(RoleName=READER_ROLE))
        if role is None:
            raise SetupError(
                f"the role {READER_ROLE} does not exist; run bootstrap aws --apply first"
            )
        return str(role["Role"]["Arn"])

    def _make_policy(self, name: str, wanted: Document) -> Outcome:
        arn = self._policy_arn(name)
        current = read_if_exists(lambda: self._iam.get_policy(PolicyArn=arn))
        with setup_errors(f"cannot create the policy {name}"):
            if current is None:
                self._iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(wanted))
                return "created"
            version = current["Policy"]["DefaultVersionId"]
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
        current = read_if_exists(lambda: self._iam.get_role(RoleName=READER_ROLE))
        with setup_errors(f"cannot create the role {READER_ROLE}"):
            if current is None:
                trust = json.dumps(wanted or documents.trust_no_principal())
                self._iam.create_role(
                    RoleName=READER_ROLE,
                    AssumeRolePolicyDocument=trust,
                    Description="Snowflake reads the Amplitude lake with it",
                )
                return "created"
            if wanted is None or current["Role"]["AssumeRolePolicyDocument"] == wanted:
                return "unchanged"
            self._iam.update_assume_role_policy(
                RoleName=READER_ROLE, PolicyDocument=json.dumps(wanted)
            )
            return "changed"

    def _attach_reader_policy(self) -> Outcome:
        arn = self._policy_arn(READER_POLICY)
        with setup_errors(f"cannot attach {READER_POLICY} to {READER_ROLE}"):
            if arn in self._attached_policies():
                return "unchanged"
            self._iam.attach_role_policy(RoleName=READER_ROLE, PolicyArn=arn)
        return "created"

    def _remove_role(self) -> Outcome:
        if read_if_exists(lambda: self._iam.get_role(RoleName=READER_ROLE)) is None:
            return "absent"
        with setup_errors(f"cannot delete the role {READER_ROLE}"):
            for arn in self._attached_policies():
                self._iam.detach_role_policy(RoleName=READER_ROLE, PolicyArn=arn)
            self._iam.delete_role(RoleName=READER_ROLE)
        return "removed"

    def _remove_policy(self, name: str) -> Outcome:
        arn = self._policy_arn(name)
        if read_if_exists(lambda: self._iam.get_policy(PolicyArn=arn)) is None:
            return "absent"
        with setup_errors(f"cannot delete the policy {name}; detach it from all users and roles"):
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
        with setup_errors("cannot sign in to AWS"):
            account = self._sts.get_caller_identity()["Account"]
        return f"arn:{self._lake.partition}:iam::{account}:policy/{name}"


def trust_in(principal: Principal | None) -> Document | None:
    """Return the trust policy for Snowflake's user, or None before it is known."""
    if principal is None:
        return None
    return documents.trust_policy(principal.user_arn, principal.external_id)
