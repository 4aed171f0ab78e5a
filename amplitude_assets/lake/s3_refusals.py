"""Why S3 or AWS refused: what was answered, in words, and which setting to mend."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amplitude_assets.lake.s3 import S3Access

# The store's own words where S3 did not answer, and what its errors hold of an answer. Deleting
# asks for many keys at once, and the answer says which failed; the store puts that in a sentence.
_UNREACHABLE = ("kind: Connect", "kind: Timeout")
_REDIRECT = "redirect without LOCATION"
_NO_KEYS = re.compile(r"External AWS credential provider: (?P<kind>\w+): (?P<said>.*)")
_CODE = re.compile(r"<Code>(.*?)</Code>|\(code: (.*?)\)")
_MESSAGE = re.compile(r"<Message>(.*?)</Message>|failed for key .*?: (.*) \(code: ", re.DOTALL)
_REGION = re.compile(r"<Message>.* is wrong; expecting '(.*?)'")
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html lists the codes.
_DENIED = ("AccessDenied", "AllAccessDisabled", "AccountProblem")
_KEYS_REFUSED = {
    "InvalidAccessKeyId": "AWS does not know this access key",
    "SignatureDoesNotMatch": "the secret key is not the one of the access key",
    "InvalidToken": "the session token is not one of this access key",
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
# By the name that botocore gives a source of keys: what people call it, and how keys are renewed.
_BY_ITSELF = "AWS renews the keys of a role by itself: try again in a minute"
_SOURCES = {
    "env": (
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "set both anew, with AWS_SESSION_TOKEN if they have one, or unset them to use a profile",
    ),
    "shared-credentials-file": ("the profile {profile}", "run aws configure --profile {profile}"),
    "config-file": ("the profile {profile}", "run aws configure --profile {profile}"),
    "sso": ("the profile {profile}", "run aws sso login --profile {profile}"),
    "login": ("the profile {profile}", "run aws login --profile {profile}"),
    "assume-role": ("the role of the profile {profile}", _BY_ITSELF),
    "iam-role": ("the role of this machine", _BY_ITSELF),
    "container-role": ("the role of this container", _BY_ITSELF),
}
_ELSEWHERE = ("where AWS's tools look", "aws sts get-caller-identity says whose they are")


@dataclass(frozen=True)
class Refusal:
    """Why something could not be done, and what to do about it, which may not be known.

    Trying again may help unless it is known that somebody has to do something first.
    """

    reason: str
    fix: str = ""
    retryable: bool = True

    def __str__(self) -> str:
        """Return both, in one line."""
        return f"{self.reason}; {self.fix}" if self.fix else self.reason


@dataclass(frozen=True, repr=False)
class Asked:
    """A bucket, the setting that names it, and how it was asked."""

    setting: str
    bucket: str
    access: "S3Access"

    def explain(self, error: Exception) -> Refusal:
        """Say why the store failed. For a bucket of another region, S3 is asked for its region."""
        said = str(error)
        no_keys = _NO_KEYS.search(said)
        if no_keys:
            kind, words = no_keys["kind"], no_keys["said"]
            return _sign_in_refusal(kind, words, self._profile) or Refusal(
                f"AWS gave no keys: {words}",
                "aws sts get-caller-identity fails as well then; what mends it there mends it here",
            )
        if any(sign in said for sign in _UNREACHABLE):
            return self._unreachable()
        if _REDIRECT in said or _REGION.search(said):
            return self._other_region(said)
        return self._answered(said, _found(_CODE, said), _found(_MESSAGE, said))

    def _answered(self, said: str, code: str, message: str) -> Refusal:
        if code in _KEYS_REFUSED:
            source, renewal = self._source
            reason = f"{_KEYS_REFUSED[code]}; the keys come from {source}"
            return Refusal(reason, renewal, retryable=renewal == _BY_ITSELF)
        if code in _DENIED or (not code and "403 Forbidden" in said):
            return self._denied(message)
        if code == "NoSuchBucket":
            fix = f"write your bucket's name in {self.setting}; docs/aws.md says how to make one"
            return Refusal("there is no such bucket", fix, retryable=False)
        if code == "RequestTimeTooSkewed":
            fix = "set it, and try again"
            return Refusal("the clock of this machine is wrong", fix, retryable=False)
        return Refusal(f"S3 says {code}: {message}" if code else said.splitlines()[0])

    def _denied(self, message: str) -> Refusal:
        # AWS names who asked and which right, when both are of one account.
        named = f" ({message})" if "is not authorized to perform" in message else ""
        policy = (
            "the policy amplitude-assets-writer: amplitude-assets bootstrap aws --apply makes it, "
            "docs/aws.md attaches it"
            if self.setting == "LAKE_URL"
            else "the rights to list and read it"
        )
        return Refusal(
            f"access denied: these credentials lack the right{named}",
            f"is {self.bucket} in {self.setting} your bucket? Then the identity of the keys from "
            f"{self._source[0]} needs {policy}",
            retryable=False,
        )

    def _other_region(self, said: str) -> Refusal:
        region = _found(_REGION, said) or self._region_of_bucket()
        if region:
            reason = f"the bucket is in {region}, and not in {self.access.session.region_name}"
            return Refusal(reason, f"set AWS_REGION={region}", retryable=False)
        return Refusal(
            "the bucket is in another region",
            "set AWS_REGION to the region that the S3 console shows beside the bucket's name",
            retryable=False,
        )

    def _region_of_bucket(self) -> str:
        """Ask S3, which says it in a header to anybody: the answer is refused, but has it.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
        """
        import requests

        try:
            # boto3 would follow a redirect to nowhere for ever.
            answer = requests.head(f"{self.access.endpoint_url}/{self.bucket}", timeout=10)
        except requests.RequestException:
            return ""
        return answer.headers.get("x-amz-bucket-region", "")

    def _unreachable(self) -> Refusal:
        endpoint = self.access.endpoint_url
        if ".amazonaws." in endpoint:
            fix = (
                "is AWS_REGION a region of AWS, such as eu-central-1? "
                "Then look at the network of this machine"
            )
        else:
            fix = "look whether that service runs, and at AWS_ENDPOINT_URL_S3, which names it"
        return Refusal(f"{endpoint} cannot be reached", fix)

    @property
    def _profile(self) -> str:
        return str(self.access.session.profile_name)

    @property
    def _source(self) -> tuple[str, str]:
        """Return where the keys come from, and how they are renewed."""
        credentials = self.access.session.get_credentials()
        source, renewal = _SOURCES.get(credentials.method if credentials else "", _ELSEWHERE)
        return source.format(profile=self._profile), renewal.format(profile=self._profile)


def sign_in_refusal_of(error: Exception) -> Refusal | None:
    """Say what is wrong with this machine's sign-in to AWS, from an error of botocore's.

    Returns None when it is about something else.
    """
    import botocore.session

    profile = botocore.session.get_session().get_config_variable("profile") or "default"
    return _sign_in_refusal(type(error).__name__, str(error), profile)


def _sign_in_refusal(kind: str, said: str, profile: str) -> Refusal | None:
    """Say what is wrong with the sign-in to AWS, from the name and words of botocore's error.

    Returns None when it is about something else.
    """
    if kind == "NoCredentialsError":
        fix = "aws configure, AWS_PROFILE, AWS_ACCESS_KEY_ID, or the role of the machine"
        fix = f"sign in as for every AWS tool: {fix}"
        return Refusal("no AWS credentials were found", fix, retryable=False)
    if kind in _SIGNED_OUT:
        command = _SIGNED_OUT[kind]
        fix = f"run {command} --profile {profile}"
        return Refusal("not signed in to AWS, or no longer", fix, retryable=False)
    if kind == "ProfileNotFound":
        fix = "set AWS_PROFILE to one that aws configure list-profiles shows, or unset it"
        return Refusal(said, fix, retryable=False)
    if kind == "PartialCredentialsError":
        fix = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in one place, or neither"
        return Refusal("half of the AWS keys is missing", fix, retryable=False)
    if kind == "InvalidRegionError":
        fix = "set AWS_REGION to a region of AWS, such as eu-central-1"
        return Refusal(said, fix, retryable=False)
    return None


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return next(filter(None, match.groups()), "") if match else ""
