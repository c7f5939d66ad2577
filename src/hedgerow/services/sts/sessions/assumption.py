"""AssumeRole: who may take on a role, of this account or another, and what the session is then.

Within an account a trust policy that names the caller is enough. Where it names the account, and whenever caller and
role are of two accounts, the caller's own policies must allow it too. A deny of either side wins.
Left out, and refused by name: MFA, provided contexts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from hedgerow.core.arn import parse
from hedgerow.core.caller import DIRECT, Caller, Kind
from hedgerow.core.policy import Principal, Reason, decide_trust
from hedgerow.core.request import Request
from hedgerow.services.sts.sessions.errors import (
    ChainTooLong,
    NotAuthorised,
    RootAssumesNothing,
    SourceIdentityFixed,
    WrongDuration,
)
from hedgerow.services.sts.sessions.model import (
    CHAINED_S,
    DEFAULT_S,
    SHORTEST_S,
    SOURCE_IDENTITY,
    Mandate,
    Session,
    SessionKind,
    assumed_role_arn,
)
from hedgerow.services.sts.sessions.ports import Role, Roles, Standing, Standings
from hedgerow.services.sts.sessions.store import SessionMint
from hedgerow.services.sts.sessions.terms import (
    ManagedPolicies,
    Terms,
    check_policies,
    inherited,
    read_terms,
    tags_of,
    transitive_of,
)
from hedgerow.store import Answer, Tx

ASSUME: Final = "sts:AssumeRole"
TAG_SESSION: Final = "sts:TagSession"
SET_SOURCE: Final = "sts:SetSourceIdentity"
STRANGERS: Final = "the role does not exist, or its trust policy does not allow it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Who asks for which role, and what policies may look at."""

    caller: Caller
    standing: Standing
    role_arn: str
    context: Mapping[str, "str | Sequence[str]"]

    def refusal(self, action: str, why: str) -> NotAuthorised:
        """Answer the error that says who, what and why."""
        return NotAuthorised(self.caller.principal, action, self.role_arn, why)


class RoleSessionOperations:
    """Sessions of roles for those who have credentials already."""

    def __init__(self, *, roles: Roles, standings: Standings, managed: ManagedPolicies, mint: SessionMint) -> None:
        self._roles = roles
        self._standings = standings
        self._managed = managed
        self._mint = mint

    def assume_role(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, seconds = request["RoleSessionName"], request.get("DurationSeconds")
        if caller.kind is Kind.ROOT:
            raise RootAssumesNothing
        standing = self._standings.of(tx, caller)
        source = _source_identity(request.get("SourceIdentity"), standing)
        terms = _terms(request, standing)
        context = circumstances(tx, caller) | {"sts:RoleSessionName": name} | terms.context()
        if (external := request.get("ExternalId")) is not None:
            context["sts:ExternalId"] = external
        if source is not None:
            context["sts:SourceIdentity"] = source
        question = Question(caller=caller, standing=standing, role_arn=request["RoleArn"], context=context)
        role = self._allowed(tx, question, actions_for(ASSUME, terms, source))
        check_policies(tx, terms, role.account, self._managed)
        duration = role_duration(seconds, role, chained=caller.kind is Kind.ROLE)
        session = self._mint.create(tx, role.account, mandate_of(role, name, terms, source), duration)
        answer = {**shown_role_session(session), **terms.shown()}
        return Answer(answer if source is None else {**answer, "SourceIdentity": source})

    def _allowed(self, tx: Tx, question: Question, actions: Sequence[str]) -> Role:
        account, home = question.caller.account, account_of(question.role_arn)
        role = self._roles.by_arn(tx, home, question.role_arn)
        for action in actions:
            if home == account:
                _allowed_at_home(question, role, action)
            else:
                _allowed_abroad(question, role, action)
        if role is None:
            raise question.refusal(ASSUME, STRANGERS)
        return role


def _allowed_at_home(question: Question, role: Role | None, action: str) -> None:
    """Raise NotAuthorised unless the trust policy names the caller, or names the account and its policies allow it."""
    if role is None:
        raise question.refusal(action, "there is no such role")
    context, who = _trusting(question, role), _known(question, role)
    trust = decide_trust(role.trust, who, action, context)
    if not trust.allowed:
        raise question.refusal(action, trust.explain())
    own = question.standing.rights.decide(action, role.arn, _about(question, role))
    if own.allowed:
        return
    by_name = decide_trust(role.trust, who.itself(), action, context)
    limits = question.standing.limits
    within = limits is None or limits.decide(action, role.arn, _about(question, role)).allowed
    if own.reason is Reason.EXPLICIT_DENY or not by_name.allowed or not within:
        raise question.refusal(action, own.explain())


def _allowed_abroad(question: Question, role: Role | None, action: str) -> None:
    """Raise NotAuthorised unless both sides allow it; what is in the other account is not told."""
    context = {**question.context, "aws:ResourceAccount": account_of(question.role_arn)}
    own = question.standing.rights.decide(action, question.role_arn, context)
    if not own.allowed:
        raise question.refusal(action, own.explain())
    if role is None or not decide_trust(role.trust, _known(question, role), action, _trusting(question, role)).allowed:
        raise question.refusal(action, STRANGERS)


def _known(question: Question, role: Role) -> Principal:
    """Answer the caller as the trust policy knows it: not by a name that somebody else had when it was written."""
    who = question.standing.principal
    own = str(question.standing.variables.get("aws:userid", "")).partition(":")[0]
    return replace(who, arns=tuple(name for name in who.arns if role.principal_ids.get(name, own) == own))


def _trusting(question: Question, role: Role) -> dict[str, "str | Sequence[str]"]:
    """Answer what the trust policy may look at: the circumstances, and what the caller is."""
    return {**_about(question, role), **question.standing.variables}


def _about(question: Question, role: Role) -> dict[str, "str | Sequence[str]"]:
    tags: dict[str, str | Sequence[str]] = {}
    for key, value in role.tags.items():
        tags |= {f"aws:ResourceTag/{key}": value, f"iam:ResourceTag/{key}": value}
    return {**question.context, **tags, "aws:ResourceAccount": role.account}


def _terms(request: Request, standing: Standing) -> Terms:
    tags, keys = tags_of(request), request.take_all("TransitiveTagKeys") or ()
    both, transitive = inherited(tags, transitive_of(keys, tags), standing.handed_on)
    return read_terms(request, tags=both, transitive=transitive)


def _source_identity(asked: str | None, standing: Standing) -> str | None:
    """Answer the source identity of the new session: who has one keeps it."""
    kept = standing.variables.get(SOURCE_IDENTITY)
    if kept is None:
        return asked
    if asked is not None and asked != kept:
        raise SourceIdentityFixed(str(kept))
    return str(kept)


def circumstances(tx: Tx, caller: Caller) -> dict[str, "str | Sequence[str]"]:
    """Answer the condition keys that belong to the request and not to the caller."""
    context: dict[str, str | Sequence[str]] = {
        "aws:CurrentTime": datetime.fromtimestamp(tx.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(tx.now)),
        "aws:RequestedRegion": caller.region,
        "aws:SecureTransport": "true" if caller.secure else "false",
        **DIRECT,
    }
    if caller.source_ip is not None:
        context["aws:SourceIp"] = caller.source_ip
    return context


def role_duration(seconds: int | None, role: Role, *, chained: bool = False) -> float:
    """Answer how long the session lasts; raise WrongDuration when the role does not allow that."""
    if chained and seconds is not None and seconds > CHAINED_S:
        raise ChainTooLong
    if seconds is None:
        return float(min(DEFAULT_S, role.max_session_s))
    if seconds > role.max_session_s:
        raise WrongDuration("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if seconds < SHORTEST_S:
        raise WrongDuration(f"DurationSeconds must be at least {SHORTEST_S}")
    return float(seconds)


def actions_for(action: str, terms: Terms, source: str | None) -> tuple[str, ...]:
    """Answer everything that must be allowed, so that a session with these terms can be had."""
    tagging = (TAG_SESSION,) if terms.tags else ()
    return (action, *tagging) if source is None else (action, *tagging, SET_SOURCE)


def mandate_of(
    role: Role, name: str, terms: Terms, source: str | None, variables: Mapping[str, str] | None = None
) -> Mandate:
    """Answer what a session of the role is to be."""
    own = {} if source is None else {SOURCE_IDENTITY: source}
    return Mandate(
        kind=SessionKind.ROLE,
        principal=assumed_role_arn(role.account, role.name, name),
        name=role.name,
        identity=f"{role.id}:{name}",
        variables={**(variables or {}), **terms.variables, **own},
        bounds=terms.bounds,
        transitive=terms.transitive,
    )


def account_of(role_arn: str) -> str:
    """Answer the account that a role's ARN names, "" when it names none."""
    parsed = parse(role_arn)
    return "" if parsed is None else parsed.account


def shown_role_session(session: Session) -> dict[str, Any]:
    """Answer what AssumeRole and its like answer about a session."""
    return {
        "Credentials": shown_credentials(session),
        "AssumedRoleUser": {"AssumedRoleId": session.identity, "Arn": session.principal},
    }


def shown_credentials(session: Session) -> dict[str, Any]:
    """Answer credentials as STS shows them."""
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret,
        "SessionToken": session.token,
        "Expiration": session.expires_at,
    }
