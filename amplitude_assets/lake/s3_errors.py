"""Explain errors of S3 and AWS: the reason in words, and the setting to change."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amplitude_assets.lake.s3 import S3Access

# Texts of obstore's errors: without a response, and around the XML of one. A bulk delete reports
# its failed keys inside a successful response, which obstore puts in a sentence of its own.
_UNREACHABLE = ("kind: Connect", "kind: Timeout")
_REDIRECT = "redirect without LOCATION"
_NO_KEYS = re.compile(r"External AWS credential provider: (?P<kind>\w+): (?P<text>.*)")
_CODE = re.compile(r"<Code>(.*?)</Code>|\(code: (.*?)\)")
_MESSAGE = re.compile(r"<Message>(.*?)</Message>|failed for key .*?: (.*) \(code: ", re.DOTALL)
_REGION = re.compile(r"<Message>.* is wrong; expecting '(.*?)'")
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html lists the codes.
_DENIED = ("AccessDenied", "AllAccessDisabled", "AccountProblem")
_KEYS_REFUSED = {
    "InvalidAccessKeyId": "AWS does not know this access key",
    "SignatureDoesNotMatch": "the secret key does not match the access key",
    "InvalidToken": "the session token does not belong to the access key",
    "ExpiredToken": "the keys have expired",
    "TokenRefreshRequired": "the keys have expired",
}
_SIGNED_OUT = {
    "UnauthorizedSSOTokenError": "aws sso login",
    "SSOTokenLoadError": "aws sso login",
    "TokenRetrievalError": "aws sso login",
    "LoginRefreshRequired": "aws login",
    "LoginTokenLoadError": "aws login",
}
# botocore's name of a credential source -> its description, and how to renew its keys.
_AUTOMATIC = "AWS renews the keys of a role automatically: try again in a minute"
_SOURCES = {
    "env": (
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "set both again, with AWS_SESSION_TOKEN if they have one, or unset them to use a profile",
    ),
    "shared-credentials-file": ("the profile {profile}", "run aws configure --profile {profile}"),
    "config-file": ("the profile {profile}", "run aws configure --profile {profile}"),
    "sso": ("the profile {profile}", "run aws sso login --profile {profile}"),
    "login": ("the profile {profile}", "run aws login --profile {profile}"),
    "assume-role": ("the role of the profile {profile}", _AUTOMATIC),
    "iam-role": ("the role of this machine", _AUTOMATIC),
    "container-role": ("the role of this container", _AUTOMATIC),
}
_OTHER_SOURCE = (
    "the default credential chain",
    "aws sts get-caller-identity shows whose they are",
)


@dataclass(frozen=True)
class Diagnosis:
    """The reason of an error, and what to do about it, empty when unknown.

    `retryable` is false when a retry cannot succeed before the user changes something.
    """

    reason: str
    fix: str = ""
    retryable: bool = True

    def __str__(self) -> str:
        """Return the reason and the fix in one line."""
        return f"{self.reason}; {self.fix}" if self.fix else self.reason


@dataclass(frozen=True, repr=False)
class S3Location:
    """A bucket, the setting that names it, and how it is accessed."""

    setting: str
    bucket: str
    access: "S3Access"

    def explain(self, error: Exception) -> Diagnosis:
        """Diagnose an error of the store. For a wrong region, ask S3 for the bucket's region."""
        text = str(error)
        no_keys = _NO_KEYS.search(text)
        if no_keys:
            kind, words = no_keys["kind"], no_keys["text"]
            return _diagnose_sign_in(kind, words, self._profile) or Diagnosis(
                f"AWS returned no credentials: {words}",
                "aws sts get-caller-identity fails with the same error; fix it there first",
            )
        if any(sign in text for sign in _UNREACHABLE):
            return self._unreachable()
        if _REDIRECT in text or _REGION.search(text):
            return self._other_region(text)
        return self._error_response(text, _found(_CODE, text), _found(_MESSAGE, text))

    def _error_response(self, text: str, code: str, message: str) -> Diagnosis:
        if code in _KEYS_REFUSED:
            source, renewal = self._source
            reason = f"{_KEYS_REFUSED[code]}; the keys come from {source}"
            return Diagnosis(reason, renewal, retryable=renewal == _AUTOMATIC)
        if code in _DENIED or (not code and "403 Forbidden" in text):
            return self._denied(message)
        if code == "NoSuchBucket":
            fix = f"set {self.setting} to your bucket; docs/aws.md shows how to create one"
            return Diagnosis("the bucket does not exist", fix, retryable=False)
        if code == "RequestTimeTooSkewed":
            fix = "set the clock, and try again"
            return Diagnosis("the clock of this machine is wrong", fix, retryable=False)
        return Diagnosis(f"S3 returned {code}: {message}" if code else text.splitlines()[0])

    def _denied(self, message: str) -> Diagnosis:
        # AWS names the identity and the permission when both belong to the same account.
        named = f" ({message})" if "is not authorized to perform" in message else ""
        policy = (
            "the policy amplitude-assets-writer: amplitude-assets bootstrap aws --apply creates "
            "it, docs/aws.md shows how to attach it"
            if self.setting == "LAKE_URL"
            else "permission to list and read it"
        )
        endpoint = self.access.endpoint_url
        in_clear = ""
        if endpoint.startswith("http://"):
            in_clear = (
                f"if the bucket denies requests without TLS (aws:SecureTransport), use https:// "
                f"in AWS_ENDPOINT_URL_S3, which is {endpoint}. Otherwise: "
            )
        return Diagnosis(
            f"access denied: these credentials lack permission{named}",
            f"{in_clear}check that {self.bucket} in {self.setting} is your bucket; then the "
            f"identity of the keys from {self._source[0]} needs {policy}",
            retryable=False,
        )

    def _other_region(self, text: str) -> Diagnosis:
        region = _found(_REGION, text) or self._region_of_bucket()
        if region:
            reason = f"the bucket is in {region}, not in {self.access.session.region_name}"
            return Diagnosis(reason, f"set AWS_REGION={region}", retryable=False)
        return Diagnosis(
            "the bucket is in another region",
            "set AWS_REGION to the region that the S3 console shows for the bucket",
            retryable=False,
        )

    def _region_of_bucket(self) -> str:
        """Return the bucket's region, which S3 sends in a header even when it denies the request.

        Empty when S3 cannot be reached. Source:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
        """
        import requests

        try:
            # Not with boto3, which would follow a redirect without a location endlessly.
            response = requests.head(f"{self.access.endpoint_url}/{self.bucket}", timeout=10)
        except requests.RequestException:
            return ""
        return response.headers.get("x-amz-bucket-region", "")

    def _unreachable(self) -> Diagnosis:
        endpoint = self.access.endpoint_url
        if ".amazonaws." in endpoint:
            fix = (
                "check that AWS_REGION is a region of AWS, such as eu-central-1, "
                "then the network of this machine"
            )
        else:
            fix = "check that this service is running, and that AWS_ENDPOINT_URL_S3 is correct"
        return Diagnosis(f"{endpoint} cannot be reached", fix)

    @property
    def _profile(self) -> str:
        return str(self.access.session.profile_name)

    @property
    def _source(self) -> tuple[str, str]:
        """The source of the keys, and how to renew them."""
        credentials = self.access.session.get_credentials()
        source, renewal = _SOURCES.get(credentials.method if credentials else "", _OTHER_SOURCE)
        return source.format(profile=self._profile), renewal.format(profile=self._profile)


def diagnose_sign_in(error: Exception) -> Diagnosis | None:
    """Diagnose a botocore error about this machine's AWS credentials; None for other errors."""
    import botocore.session

    profile = botocore.session.get_session().get_config_variable("profile") or "default"
    return _diagnose_sign_in(type(error).__name__, str(error), profile)


def _diagnose_sign_in(kind: str, message: str, profile: str) -> Diagnosis | None:
    """Diagnose a credentials error by botocore's class name and message; None for other errors."""
    if kind == "NoCredentialsError":
        fix = "aws configure, AWS_PROFILE, AWS_ACCESS_KEY_ID, or the role of the machine"
        fix = f"sign in as for any AWS tool: {fix}"
        return Diagnosis("no AWS credentials were found", fix, retryable=False)
    if kind in _SIGNED_OUT:
        command = _SIGNED_OUT[kind]
        fix = f"run {command} --profile {profile}"
        return Diagnosis("not signed in to AWS, or the session has expired", fix, retryable=False)
    if kind == "ProfileNotFound":
        fix = "set AWS_PROFILE to one that aws configure list-profiles shows, or unset it"
        return Diagnosis(message, fix, retryable=False)
    if kind == "PartialCredentialsError":
        fix = "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in one place, or neither"
        return Diagnosis("one of the two AWS keys is missing", fix, retryable=False)
    if kind == "InvalidRegionError":
        fix = "set AWS_REGION to a region of AWS, such as eu-central-1"
        return Diagnosis(message, fix, retryable=False)
    return None


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return next(filter(None, match.groups()), "") if match else ""
