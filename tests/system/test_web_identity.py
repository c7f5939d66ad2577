"""People and machines that an OIDC provider vouches for: stock boto3, a provider with a CA of its own."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import CloudSession, TestCloud
from tests.support.people import allow, role, trust, user, with_credentials
from tests.support.provider import IdentityProvider, identity_provider, jwk, rsa_key, signed

pytestmark = [pytest.mark.slow]

ACTION = "sts:AssumeRoleWithWebIdentity"


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[IdentityProvider]:
    with identity_provider(tmp_path) as made:
        yield made


def registered(cloud: TestCloud, provider: IdentityProvider, **more: Any) -> str:
    request = {"ClientIDList": ["app"], "ThumbprintList": [provider.thumbprint], **more}
    made = cloud.client("iam").create_open_id_connect_provider(Url=provider.issuer, **request)
    return str(made["OpenIDConnectProviderArn"])


def web_role(cloud: TestCloud, provider: IdentityProvider, subject: str = "ann", name: str = "web") -> str:
    host = provider.issuer.removeprefix("https://")
    condition = {"StringEquals": {f"{host}:aud": "app", f"{host}:sub": subject}}
    federated = {"Federated": f"arn:aws:iam::{cloud.account}:oidc-provider/{host}"}
    own = allow("s3:GetObject", f"arn:aws:s3:::{cloud.account}/${{{host}:sub}}/*")
    return role(cloud, name, trust(federated, ACTION, Condition=condition), own, allow("iot:ListThings"))


def anonymous(cloud: TestCloud) -> Any:
    """Answer a client without credentials, as a phone or a CI job has it."""
    return CloudSession(
        endpoint_url=cloud.process.ready["api_url"], ca_file=cloud.process.ready["ca_file"], region_name=cloud.region
    ).client("sts")


def traded(cloud: TestCloud, arn: str, token: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = anonymous(cloud).assume_role_with_web_identity(
        RoleArn=arn, RoleSessionName="me", WebIdentityToken=token, **more
    )
    return answer


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.spec("AL-45", "X-02")
def test_whom_the_provider_vouches_for_gets_keys_that_work_as_far_as_the_role_may(
    hedgerow_cloud: TestCloud, provider: IdentityProvider
) -> None:
    cloud = hedgerow_cloud
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=cloud.account)
    for key in ("ann/1", "bob/1"):
        s3.put_object(Bucket=cloud.account, Key=key, Body=key.encode())
    registered(cloud, provider)
    arn = web_role(cloud, provider)

    answer = traded(cloud, arn, provider.token())

    session = with_credentials(cloud.process, answer["Credentials"])
    mine = session.client("s3")
    assert answer["SubjectFromWebIdentityToken"] == "ann"
    assert (answer["Provider"], answer["Audience"]) == (provider.issuer, "app")
    assert session.client("sts").get_caller_identity()["Arn"] == f"arn:aws:sts::{cloud.account}:assumed-role/web/me"
    assert session.client("iot").list_things()["things"] == []
    assert mine.get_object(Bucket=cloud.account, Key="ann/1")["Body"].read() == b"ann/1"
    assert refusal(lambda: mine.get_object(Bucket=cloud.account, Key="bob/1"))[0] == "AccessDenied"
    assert refusal(lambda: session.client("iam").list_users())[0] == "AccessDenied"


@pytest.mark.spec("AL-45")
def test_boto3_takes_the_token_from_a_file_as_ci_systems_give_it(
    hedgerow_cloud: TestCloud, provider: IdentityProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(hedgerow_cloud, provider)
    (tmp_path / "token").write_text(provider.token())
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", web_role(hedgerow_cloud, provider))
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "job-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", hedgerow_cloud.process.ready["api_url"])
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    ready = hedgerow_cloud.process.ready
    session = CloudSession(endpoint_url=ready["api_url"], ca_file=ready["ca_file"], region_name=hedgerow_cloud.region)

    assert session.client("sts").get_caller_identity()["Arn"].endswith(":assumed-role/web/job-1")


def test_tokens_that_prove_nothing_are_refused_in_aws_words(
    hedgerow_cloud: TestCloud, provider: IdentityProvider
) -> None:
    cloud = hedgerow_cloud
    registered(cloud, provider)
    arn, of_bob = web_role(cloud, provider), web_role(cloud, provider, "bob", "of-bob")
    now = int(time.time())
    claims = {"iss": provider.issuer, "sub": "ann", "aud": "app", "iat": now, "exp": now + 300}
    good = provider.token()
    head, body, signature = good.split(".")
    changed = f"{head}.{body}.{signature[:-10]}AAAAAAAAAA"

    said = {
        "forged": refusal(lambda: traded(cloud, arn, signed(claims, rsa_key(2)))),
        "changed": refusal(lambda: traded(cloud, arn, changed)),
        "unsigned": refusal(lambda: traded(cloud, arn, f"{head}.{body}.")),
        "expired": refusal(lambda: traded(cloud, arn, provider.token(exp=now - 1))),
        "audience": refusal(lambda: traded(cloud, arn, provider.token(audience="other"))),
        "issuer": refusal(lambda: traded(cloud, arn, provider.token(iss="https://evil.example.org"))),
        "subject": refusal(lambda: traded(cloud, of_bob, good)),
        "no role": refusal(lambda: traded(cloud, arn + "x", good)),
        "garbage": refusal(lambda: traded(cloud, arn, "garbage")),
    }

    assert {name: code for name, (code, _) in said.items()} == {
        "forged": "InvalidIdentityToken",
        "changed": "InvalidIdentityToken",
        "unsigned": "InvalidIdentityToken",
        "expired": "ExpiredTokenException",
        "audience": "InvalidIdentityToken",
        "issuer": "InvalidIdentityToken",
        "subject": "AccessDenied",
        "no role": "AccessDenied",
        "garbage": "InvalidIdentityToken",
    }
    assert "Credentials" in traded(cloud, arn, good)


def test_a_server_that_the_thumbprint_does_not_name_is_not_believed_until_it_does(
    hedgerow_cloud: TestCloud, provider: IdentityProvider
) -> None:
    cloud = hedgerow_cloud
    named = registered(cloud, provider, ThumbprintList=["0" * 40])
    arn = web_role(cloud, provider)

    before = refusal(lambda: traded(cloud, arn, provider.token()))
    cloud.client("iam").update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=named, ThumbprintList=[provider.thumbprint]
    )

    assert before[0] == "InvalidIdentityToken"
    assert "certificate" in before[1]
    assert "Credentials" in traded(cloud, arn, provider.token())


def test_a_provider_that_is_not_there_is_told_apart_from_one_that_says_no(
    hedgerow_cloud: TestCloud, provider: IdentityProvider
) -> None:
    registered(hedgerow_cloud, provider)
    arn, token = web_role(hedgerow_cloud, provider), provider.token()
    provider.server.shutdown()
    provider.server.server_close()

    assert refusal(lambda: traded(hedgerow_cloud, arn, token))[0] == "IDPCommunicationError"


def test_a_rotated_key_is_found_and_a_deleted_provider_vouches_for_nobody(
    hedgerow_cloud: TestCloud, provider: IdentityProvider
) -> None:
    named = registered(hedgerow_cloud, provider)
    arn = web_role(hedgerow_cloud, provider)
    provider.keys.append(jwk(rsa_key(2), "two"))
    now = int(time.time())
    claims = {"iss": provider.issuer, "sub": "ann", "aud": "app", "iat": now, "exp": now + 300}

    by_second = traded(hedgerow_cloud, arn, signed(claims, rsa_key(2), kid="two"))
    hedgerow_cloud.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=named)

    assert "Credentials" in by_second
    assert refusal(lambda: traded(hedgerow_cloud, arn, provider.token()))[0] == "InvalidIdentityToken"


def test_exactly_this_call_needs_no_signature(hedgerow_cloud: TestCloud) -> None:
    def posted(action: str) -> tuple[int, str]:
        body = urlencode({"Action": action, "Version": "2011-06-15"}).encode()
        request = urllib.request.Request(hedgerow_cloud.process.ready["api_url"], body)  # our own URL
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)  # our own URL
        with caught.value as error:
            return error.code, error.read().decode()

    open_one = posted("AssumeRoleWithWebIdentity")
    closed = [posted(name)[0] for name in ("GetCallerIdentity", "AssumeRole", "GetSessionToken", "GetFederationToken")]

    assert open_one[0] == 400
    assert "ValidationError" in open_one[1]
    assert closed == [403] * 4


def test_who_may_register_providers_is_a_right_on_the_provider(
    hedgerow_cloud: TestCloud, provider: IdentityProvider
) -> None:
    host = provider.issuer.removeprefix("https://")
    own = f"arn:aws:iam::{hedgerow_cloud.account}:oidc-provider/{host}"
    ann = user(hedgerow_cloud, "ann", allow("iam:*OpenIDConnectProvider", own)).client("iam")

    made = ann.create_open_id_connect_provider(Url=provider.issuer)["OpenIDConnectProviderArn"]
    other = refusal(lambda: ann.create_open_id_connect_provider(Url=provider.issuer + "/other"))

    assert made == own
    assert other[0] == "AccessDenied"
    assert ann.get_open_id_connect_provider(OpenIDConnectProviderArn=own)["Url"] == host
