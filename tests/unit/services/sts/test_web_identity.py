"""AssumeRoleWithWebIdentity: whom a provider vouches for gets a session, and nobody else."""

import asyncio
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.base.errors import NotImplementedYet, ServiceError, Unavailable
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.jwt import Key, read_keys
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request
from hedgerow.services.iam.oidc_providers import OidcProviderOperations, OidcProviderReader
from hedgerow.services.iam.pages import Pages
from hedgerow.services.sts.sessions import KeysRefused, Session, WebIdentityFlows
from tests.support.iam import READ_S3, Iam
from tests.support.provider import jwk, key_set, rsa_key, signed
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun

NOW = 1_800_000_000
A, B = CALLER.account, OTHER_ACCOUNT.account
ISSUER, HOST = "https://id.example.org", "id.example.org"
PROVIDER = f"arn:aws:iam::{A}:oidc-provider/{HOST}"
ROLE = f"arn:aws:iam::{A}:role/web"
NOBODY = replace(CALLER, kind=Kind.ANONYMOUS, account="", principal="anonymous", source_ip="192.0.2.7", secure=True)
CLAIMS: Mapping[str, Any] = {"iss": ISSUER, "sub": "ann", "aud": "app", "iat": NOW, "exp": NOW + 300}
TAGS, SOURCE = "https://aws.amazon.com/tags", "https://aws.amazon.com/source_identity"
ACTIONS = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]


@dataclass
class FakeKeys:
    """Answers one key; fails on demand."""

    keys_: tuple[Key, ...] = field(default_factory=lambda: read_keys(key_set(jwk(rsa_key()))))
    failure: Exception | None = None
    asked: list[tuple[str, tuple[str, ...], str | None]] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    async def keys(self, issuer: str, thumbprints: tuple[str, ...], key_id: str | None) -> Sequence[Key]:
        self.asked.append((issuer, thumbprints, key_id))
        self.meanwhile()
        if self.failure is not None:
            raise self.failure
        return self.keys_


class World:
    def __init__(self) -> None:
        self.iam, self.keys = Iam(), FakeKeys()
        self.providers = OidcProviderOperations(pages=Pages(Pager(b"k" * 32)))
        self.flows = WebIdentityFlows(
            run=MemoryRun(self.iam.store),
            roles=self.iam.role_reader,
            providers=OidcProviderReader(),
            keys=self.keys,
            managed=self.iam.managed,
            mint=self.iam.mint,
        )
        request = {"Url": ISSUER, "ClientIDList": ["app"], "ThumbprintList": ["ab" * 20]}
        self.iam.run(self.providers.create_open_id_connect_provider, request)
        self.role("web", {"Federated": PROVIDER})

    def role(self, name: str, principal: Any, action: object = ACTIONS, *, owner: Caller = CALLER, **more: Any) -> str:
        trust = {"Statement": {"Effect": "Allow", "Principal": principal, "Action": action, **more}}
        request = {"RoleName": name, "AssumeRolePolicyDocument": json.dumps(trust)}
        return str(self.iam.run(self.iam.roles.create_role, request, owner).response["Role"]["Arn"])

    def ask(self, token: str | None = None, arn: str = ROLE, **more: Any) -> Mapping[str, Any]:
        text = signed(CLAIMS) if token is None else token
        request = {"RoleArn": arn, "RoleSessionName": "me", "WebIdentityToken": text, **more}
        return asyncio.run(self.flows.assume_role_with_web_identity(Request(request), NOBODY))

    def refusal(self, token: str | None = None, arn: str = ROLE, **more: Any) -> ServiceError:
        with pytest.raises(ServiceError) as raised:
            self.ask(token, arn, **more)
        with self.iam.store.tx() as tx:
            sessions = tx._connection.exec_driver_sql("SELECT count(*) FROM sts_session").scalar_one()
        assert sessions == 0
        return raised.value

    def session(self, answer: Mapping[str, Any]) -> Session:
        with self.iam.store.tx() as tx:
            found = self.iam.session_reader.find(tx, answer["Credentials"]["AccessKeyId"])
        assert found is not None
        return found


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.spec("AL-45", "X-02")
def test_a_token_of_the_provider_is_traded_for_a_session(world: World) -> None:
    answer = world.ask()

    session = world.session(answer)
    assert answer["SubjectFromWebIdentityToken"] == "ann"
    assert (answer["Provider"], answer["Audience"]) == (ISSUER, "app")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{A}:assumed-role/web/me"
    assert (session.account, session.expires_at) == (A, NOW + 3600)
    assert session.variables == {
        f"{HOST}:aud": "app",
        f"{HOST}:sub": "ann",
        "aws:FederatedProvider": PROVIDER,
        "aws:TokenIssueTime": "2027-01-15T08:00:00Z",
    }
    assert world.keys.asked == [(ISSUER, ("ab" * 20,), "one")]


@pytest.mark.parametrize(
    ("token", "code", "said"),
    [
        ("not.a.token", "InvalidIdentityTokenException", "valid JWT"),
        (signed(CLAIMS, rsa_key(2)), "InvalidIdentityTokenException", "not the provider's"),
        (signed(CLAIMS, kid="other"), "InvalidIdentityTokenException", "no key of the name"),
        (signed({**CLAIMS, "aud": "other"}), "InvalidIdentityTokenException", "Incorrect token audience"),
        (signed({**CLAIMS, "azp": "other"}), "InvalidIdentityTokenException", "Incorrect token audience"),
        (signed({**CLAIMS, "iss": ISSUER + "/"}), "InvalidIdentityTokenException", "No OpenIDConnect provider"),
        (signed({**CLAIMS, "iss": HOST}), "InvalidIdentityTokenException", "No OpenIDConnect provider"),
        (signed({**CLAIMS, "exp": NOW}), "ExpiredTokenException", "Token expired"),
        (signed({**CLAIMS, "nbf": NOW + 120}), "InvalidIdentityTokenException", "cannot be used yet"),
        (signed({key: CLAIMS[key] for key in CLAIMS if key != "sub"}), "InvalidIdentityTokenException", "sub"),
        (signed({**CLAIMS, TAGS: []}), "InvalidIdentityTokenException", "must be an object"),
        (signed({**CLAIMS, TAGS: {"principal_tags": {"a": [1]}}}), "InvalidIdentityTokenException", "the tag a"),
        (signed({**CLAIMS, TAGS: {"transitive_tag_keys": ["a"]}}), "InvalidIdentityTokenException", "transitive"),
        (signed({**CLAIMS, SOURCE: "a b"}), "InvalidIdentityTokenException", "2 to 64"),
    ],
)
def test_what_proves_nothing_is_refused(world: World, token: str, code: str, said: str) -> None:
    found = world.refusal(token)

    assert (found.code, said in found.message) == (code, True)


def test_the_provider_is_not_asked_for_tokens_that_cannot_be_good(world: World) -> None:
    for claims in ({"exp": NOW}, {"aud": "other"}, {"iss": "https://evil.example.org"}):
        world.refusal(signed({**CLAIMS, **claims}))

    assert world.keys.asked == []


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Unavailable("not now"), "IDPCommunicationErrorException"),
        (KeysRefused("its certificate is wrong"), "InvalidIdentityTokenException"),
    ],
)
def test_without_the_providers_keys_nothing_is_believed(world: World, failure: Exception, code: str) -> None:
    world.keys.failure = failure

    assert world.refusal().code == code


@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": "*"},
        "*",
        {"Federated": "*"},
        {"Federated": PROVIDER + "/"},
        {"Federated": PROVIDER.replace(A, B)},
        {"Federated": HOST},
        {"Service": "credentials.iot.amazonaws.com"},
    ],
)
def test_a_role_that_does_not_name_the_provider_is_refused(world: World, principal: Any) -> None:
    arn = world.role("other", principal)

    assert world.refusal(arn=arn).message == "Not authorized to perform sts:AssumeRoleWithWebIdentity"


def test_strangers_do_not_learn_which_roles_there_are(world: World) -> None:
    arn = world.role("other", {"AWS": A})

    assert world.refusal(arn=arn).message == world.refusal(arn=ROLE + "x").message


def test_a_role_that_lets_the_provider_do_something_else_is_refused(world: World) -> None:
    arn = world.role("other", {"Federated": PROVIDER}, "sts:AssumeRole")

    assert world.refusal(arn=arn).code == "AccessDeniedException"


def test_a_provider_of_one_account_opens_no_role_of_another(world: World) -> None:
    arn = world.role("web", {"Federated": PROVIDER}, owner=OTHER_ACCOUNT)

    assert "No OpenIDConnect provider" in world.refusal(arn=arn).message


@pytest.mark.parametrize(
    ("operator", "key", "right", "wrong"),
    [
        ("StringEquals", f"{HOST}:aud", "app", "other"),
        ("StringEquals", f"{HOST}:sub", "ann", "bob"),
        ("StringLike", f"{HOST}:sub", "a*", "b*"),
        ("ForAnyValue:StringEquals", f"{HOST}:amr", "mfa", "sms"),
        ("StringEquals", "sts:RoleSessionName", "me", "you"),
        ("StringEquals", "aws:FederatedProvider", PROVIDER, "x"),
        ("IpAddress", "aws:SourceIp", "192.0.2.0/24", "198.51.100.0/24"),
        ("Bool", "aws:SecureTransport", "true", "false"),
        ("StringEquals", "aws:RequestTag/team", "red", "blue"),
        ("StringEquals", "sts:SourceIdentity", "ann@x", "bob@x"),
    ],
)
def test_a_trust_policy_may_ask_for_whom_the_provider_vouches(
    world: World, operator: str, key: str, right: str, wrong: str
) -> None:
    arns = [
        world.role(name, {"Federated": PROVIDER}, Condition={operator: {key: value}})
        for name, value in (("right", right), ("wrong", wrong))
    ]
    tags = {"principal_tags": {"team": ["red"]}}
    token = signed({**CLAIMS, "amr": ["pwd", "mfa"], TAGS: tags, SOURCE: "ann@x"})

    assert world.refusal(token, arns[1]).code == "AccessDeniedException"
    assert "Credentials" in world.ask(token, arns[0])


def test_the_providers_tags_and_source_identity_go_into_the_session(world: World) -> None:
    tags = {"principal_tags": {"team": ["red"], "stage": "test"}, "transitive_tag_keys": ["team"]}

    answer = world.ask(signed({**CLAIMS, TAGS: tags, SOURCE: "ann@example.org"}))

    session = world.session(answer)
    assert answer["SourceIdentity"] == "ann@example.org"
    assert session.variables["aws:PrincipalTag/team"] == "red"
    assert session.variables["aws:PrincipalTag/stage"] == "test"
    assert session.variables["aws:SourceIdentity"] == "ann@example.org"
    assert session.mandate.transitive == ("team",)


@pytest.mark.parametrize("claims", [{TAGS: {"principal_tags": {"team": ["red"]}}}, {SOURCE: "ann@x"}])
def test_tags_and_source_identity_need_their_own_trust(world: World, claims: dict[str, Any]) -> None:
    arn = world.role("plain", {"Federated": PROVIDER}, ACTIONS[0])

    world.refusal(signed({**CLAIMS, **claims}), arn)
    assert "Credentials" in world.ask(arn=arn)


def test_session_policies_and_durations_hold_here_too(world: World) -> None:
    assert world.refusal(Policy="{}").code == "MalformedPolicyDocumentException"
    assert world.refusal(DurationSeconds=7200).code == "ValidationError"
    answer = world.ask(Policy=READ_S3, DurationSeconds=900)

    session = world.session(answer)
    assert session.expires_at == NOW + 900
    assert session.mandate.bounds is not None
    assert session.mandate.bounds.documents == (READ_S3,)


def test_what_is_not_honoured_is_refused_before_anything_happens(world: World) -> None:
    found = world.refusal(ProviderId="www.amazon.com")

    assert isinstance(found, NotImplementedYet)
    assert "ProviderId" in found.message
    assert world.keys.asked == []


def test_a_provider_that_is_deleted_meanwhile_vouches_for_nobody(world: World) -> None:
    delete = world.providers.delete_open_id_connect_provider
    request = {"OpenIDConnectProviderArn": PROVIDER}
    world.keys.meanwhile = lambda: world.iam.run(delete, request)

    assert "No OpenIDConnect provider" in world.refusal().message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["iss", "sub", "aud", "azp", "amr", "iat", "exp", "nbf", TAGS, SOURCE])
TAGGED = st.fixed_dictionaries({"principal_tags": JSON | st.dictionaries(st.text(max_size=5), JSON, max_size=3)})


@functools.cache
def shared() -> World:
    """Answer one world for all examples."""
    return World()


def outcome(claims: Mapping[str, Any]) -> str:
    """Answer the subject that got a session, or the code of the refusal."""
    try:
        return str(shared().ask(signed(claims))["SubjectFromWebIdentityToken"])
    except ServiceError as error:
        return error.code


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=3) | st.fixed_dictionaries({TAGS: TAGGED}))
def test_whatever_a_provider_signs_is_answered_or_refused(claims: dict[str, Any]) -> None:
    refusals = {"InvalidIdentityTokenException", "ExpiredTokenException", "PackedPolicyTooLargeException"}

    assert outcome({**CLAIMS, **claims}) in (*refusals, claims.get("sub", "ann"))
