"""AssumeRoleWithWebIdentity: a token of an identity provider is traded for a session of a role.

Nobody has signed the call: the token is the proof, and it is believed only after a key of the provider that the role's
account has registered verified it. The keys are fetched between two short transactions.
Left out, and refused by name: OAuth access tokens (`ProviderId`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.base.errors import HedgerowError, NotImplementedYet, Unavailable
from hedgerow.core import jwt
from hedgerow.core.caller import Caller
from hedgerow.core.policy import Principal, decide_trust
from hedgerow.core.request import Request
from hedgerow.services.sts.sessions.assumption import (
    account_of,
    actions_for,
    circumstances,
    mandate_of,
    role_duration,
    shown_role_session,
)
from hedgerow.services.sts.sessions.errors import (
    IdentityExpired,
    IdpUnreachable,
    InvalidIdentity,
    WebIdentityRefused,
    WrongTerms,
)
from hedgerow.services.sts.sessions.ports import Role, Roles
from hedgerow.services.sts.sessions.store import SessionMint
from hedgerow.services.sts.sessions.terms import (
    ManagedPolicies,
    Terms,
    check_policies,
    checked_tags,
    read_bounds,
    terms_of,
    transitive_of,
)
from hedgerow.store import Answer, Run, Tx

ASSUME: Final = "sts:AssumeRoleWithWebIdentity"
_TAGS: Final = "https://aws.amazon.com/tags"
_SOURCE: Final = "https://aws.amazon.com/source_identity"
_SOURCE_FORM: Final = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_KEY_FORM: Final = re.compile(r"[\w\s.:/=+\-@]{1,128}")
_VALUE_FORM: Final = re.compile(r"[\w\s.:/=+\-@]{0,256}")


class Provider(Protocol):
    """What is needed of an OIDC provider."""

    @property
    def arn(self) -> str: ...

    @property
    def url(self) -> str:
        """Where it is, without the scheme: the first part of its condition keys."""
        ...

    @property
    def issuer(self) -> str: ...

    @property
    def client_ids(self) -> tuple[str, ...]: ...

    @property
    def thumbprints(self) -> tuple[str, ...]: ...


class Providers(Protocol):
    """Reads OIDC providers."""

    def of_issuer(self, tx: Tx, account: str, issuer: str) -> Provider | None:
        """Answer the account's provider whose tokens name this issuer, or None."""
        ...


class KeysRefused(HedgerowError):
    """What the provider shows is not right; the message says why."""


class Keys(Protocol):
    """Gets providers' public keys."""

    async def keys(self, issuer: str, thumbprints: tuple[str, ...], key_id: str | None) -> Sequence[jwt.Key]:
        """Answer the provider's keys, with the one of this name if it has it.

        Raises Unavailable when the provider cannot be reached just now, KeysRefused when what it shows is not right.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What was asked for, and what the token claims. Believed only once the signature is."""

    role_arn: str
    session_name: str
    seconds: int | None
    token: jwt.Token
    claims: jwt.Claims
    terms: Terms
    source: str | None

    @property
    def account(self) -> str:
        return account_of(self.role_arn)


class WebIdentityFlows:
    """Sessions of roles for those whom an identity provider vouches for."""

    def __init__(
        self,
        *,
        run: Run,
        roles: Roles,
        providers: Providers,
        keys: Keys,
        managed: ManagedPolicies,
        mint: SessionMint,
    ) -> None:
        self._run = run
        self._roles = roles
        self._providers = providers
        self._keys = keys
        self._managed = managed
        self._mint = mint

    async def assume_role_with_web_identity(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        asked = _read(request)
        provider, now = await self._run.read(lambda tx: (self._provider(tx, asked), tx.now))
        client = _client(asked, provider)
        _check_times(asked, now)
        await self._verify(asked, provider)
        answer = await self._run.write(lambda tx: self._open(tx, caller, asked, client))
        return answer.response

    def _provider(self, tx: Tx, asked: _Asked) -> Provider:
        provider = self._providers.of_issuer(tx, asked.account, asked.claims.issuer)
        if provider is None:
            raise InvalidIdentity(f"No OpenIDConnect provider found in your account for {asked.claims.issuer}")
        return provider

    async def _verify(self, asked: _Asked, provider: Provider) -> None:
        try:
            keys = await self._keys.keys(provider.issuer, provider.thumbprints, asked.token.key_id)
            jwt.verify(asked.token, keys)
        except Unavailable as error:
            raise IdpUnreachable(str(error)) from error
        except KeysRefused as error:
            raise InvalidIdentity(f"Couldn't retrieve verification key from your identity provider: {error}") from error
        except jwt.InvalidToken as error:
            raise InvalidIdentity(f"The token cannot be verified: {error}") from error

    def _open(self, tx: Tx, caller: Caller, asked: _Asked, client: str) -> Answer:
        provider = self._provider(tx, asked)  # it may have gone while its keys were fetched
        role = self._roles.by_arn(tx, asked.account, asked.role_arn)
        vouched = _vouched(provider, asked.claims, client)
        if role is None or not self._trusted(tx, caller, role, provider, asked, vouched):
            raise WebIdentityRefused
        check_policies(tx, asked.terms, role.account, self._managed)
        single = {key: value for key, value in vouched.items() if isinstance(value, str)}
        mandate = mandate_of(role, asked.session_name, asked.terms, asked.source, single)
        session = self._mint.create(tx, role.account, mandate, role_duration(asked.seconds, role))
        answer = {
            **shown_role_session(session),
            **asked.terms.shown(),
            "SubjectFromWebIdentityToken": asked.claims.subject,
            "Provider": asked.claims.issuer,
            "Audience": client,
        }
        return Answer(answer if asked.source is None else {**answer, "SourceIdentity": asked.source})

    def _trusted(
        self,
        tx: Tx,
        caller: Caller,
        role: Role,
        provider: Provider,
        asked: _Asked,
        vouched: Mapping[str, "str | Sequence[str]"],
    ) -> bool:
        context = {
            **circumstances(tx, caller),
            **asked.terms.context(),
            **{f"aws:ResourceTag/{key}": value for key, value in role.tags.items()},
            **vouched,
            "sts:RoleSessionName": asked.session_name,
        }
        if asked.source is not None:
            context["sts:SourceIdentity"] = asked.source
        who = Principal(federated=provider.arn)
        actions = actions_for(ASSUME, asked.terms, asked.source)
        return all(decide_trust(role.trust, who, action, context).allowed for action in actions)


def _read(request: Request) -> _Asked:
    """Read everything that is honoured before the first step: what is not is refused while nothing has happened."""
    role_arn, name, text = request["RoleArn"], request["RoleSessionName"], request["WebIdentityToken"]
    seconds, bounds = request.get("DurationSeconds"), read_bounds(request)
    if unread := request.unread():
        raise NotImplementedYet(f"sts:AssumeRoleWithWebIdentity does not honour {', '.join(unread)}; send it without.")
    try:
        token = jwt.read_token(text)
        claims = jwt.read_claims(token.claims)
        tags, transitive = _tags(token.claims)
        source = _source_identity(token.claims)
    except (jwt.InvalidToken, WrongTerms) as error:
        raise InvalidIdentity(f"The ID Token provided is not a valid JWT: {error}") from error
    return _Asked(
        role_arn=role_arn,
        session_name=name,
        seconds=seconds,
        token=token,
        claims=claims,
        terms=terms_of(bounds, tags=tags, transitive=transitive),
        source=source,
    )


def _client(asked: _Asked, provider: Provider) -> str:
    client = asked.claims.audience(frozenset(provider.client_ids))
    if client is None:
        raise InvalidIdentity("Incorrect token audience")
    return client


def _check_times(asked: _Asked, now: float) -> None:
    try:
        jwt.check_times(asked.claims, now)
    except jwt.Expired as error:
        raise IdentityExpired(str(error)) from error
    except jwt.Early as error:
        raise InvalidIdentity(f"The token cannot be used yet: {error}") from error


def _vouched(provider: Provider, claims: jwt.Claims, client: str) -> dict[str, "str | Sequence[str]"]:
    """Answer the condition keys that the provider vouches for."""
    found: dict[str, str | Sequence[str]] = {
        f"{provider.url}:aud": client,
        f"{provider.url}:sub": claims.subject,
        "aws:FederatedProvider": provider.arn,
    }
    if claims.methods:
        found[f"{provider.url}:amr"] = claims.methods
    return found


def _tags(claims: Mapping[str, Any]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Answer the session tags that the provider gives, and which of them are handed on."""
    given = claims.get(_TAGS)
    if given is None:
        return {}, ()
    if not isinstance(given, dict):
        raise WrongTerms(f"{_TAGS} must be an object")
    pairs, keys = given.get("principal_tags", {}), given.get("transitive_tag_keys", [])
    if not isinstance(pairs, dict) or not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise WrongTerms(f"{_TAGS} must hold principal_tags and transitive_tag_keys")
    tags = checked_tags((key, _tag(key, values)) for key, values in pairs.items())
    return tags, transitive_of(keys, tags)


def _tag(key: str, values: Any) -> str:
    value = values[0] if isinstance(values, list) and len(values) == 1 else values
    if not isinstance(value, str) or not _KEY_FORM.fullmatch(key) or not _VALUE_FORM.fullmatch(value):
        raise WrongTerms(f"the tag {key[:128]} must have one value that a tag can have")
    return value


def _source_identity(claims: Mapping[str, Any]) -> str | None:
    given = claims.get(_SOURCE)
    if given is not None and (not isinstance(given, str) or not _SOURCE_FORM.fullmatch(given)):
        raise WrongTerms(f"{_SOURCE} must be 2 to 64 letters, digits and +=,.@-")
    return given
