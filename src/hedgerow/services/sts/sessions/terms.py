"""The terms of a session: session policies and session tags, as a request lays them down."""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.core.policy import Dialect, MalformedPolicy, validate
from hedgerow.core.request import Request
from hedgerow.services.sts.sessions.errors import MalformedSessionPolicy, PackedPolicyTooLarge, WrongTerms
from hedgerow.services.sts.sessions.model import TAG, Bounds
from hedgerow.store import Tx

LONGEST: Final = 2048  # characters of the policies and ARNs, and bytes of everything when it is packed
MOST_POLICIES: Final = 10
MOST_TAGS: Final = 50


class ManagedPolicies(Protocol):
    """Reads managed policies."""

    def default_document(self, tx: Tx, account: str, arn: str) -> str | None:
        """Answer the policy as the account sees it, None when it sees none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a session is limited to, and the tags that it carries."""

    bounds: Bounds | None
    tags: Mapping[str, str]
    transitive: tuple[str, ...] = ()  # keys of those that the next role of a chain gets, too
    packed: int | None = None  # per cent of what there is room for

    @property
    def variables(self) -> dict[str, str]:
        """The session's condition keys."""
        return {f"{TAG}{key}": value for key, value in self.tags.items()}

    def context(self) -> dict[str, "str | Sequence[str]"]:
        """Answer the condition keys of the request."""
        if not self.tags:
            return {}
        context: dict[str, str | Sequence[str]] = {f"aws:RequestTag/{key}": value for key, value in self.tags.items()}
        context["aws:TagKeys"] = tuple(self.tags)
        if self.transitive:
            context["sts:TransitiveTagKeys"] = self.transitive
        return context

    def shown(self) -> dict[str, Any]:
        """Answer what an answer says of it."""
        return {} if self.packed is None else {"PackedPolicySize": self.packed}


def read_terms(request: Request, *, tags: Mapping[str, str], transitive: Iterable[str] = ()) -> Terms:
    """Read the session policies of a request; check them and the tags. Whether managed ones exist is asked later."""
    return terms_of(read_bounds(request), tags=tags, transitive=transitive)


def read_bounds(request: Request) -> Bounds | None:
    """Read the session policies of a request and check them."""
    document = request.get("Policy")
    arns = tuple(entry["arn"] for entry in request.get("PolicyArns") or ())
    documents = () if document is None else (_checked(document),)
    if len(arns) > MOST_POLICIES:
        raise WrongTerms(f"A session takes at most {MOST_POLICIES} managed policies.")
    if sum(map(len, (*documents, *arns))) > LONGEST:
        raise PackedPolicyTooLarge(f"Session policies and their ARNs are at most {LONGEST} characters together.")
    return Bounds(documents=documents, arns=arns) if documents or arns else None


def terms_of(bounds: Bounds | None, *, tags: Mapping[str, str], transitive: Iterable[str] = ()) -> Terms:
    """Answer session policies and tags as terms; raise PackedPolicyTooLarge when they are too long together."""
    packed = _packed(bounds or Bounds(), tags) if bounds or tags else None
    if packed is not None and packed > 100:
        raise PackedPolicyTooLarge(f"Policies and tags are {packed} % of the size that a session has room for.")
    return Terms(bounds=bounds, tags=dict(tags), transitive=tuple(transitive), packed=packed)


def check_policies(tx: Tx, terms: Terms, account: str, managed: ManagedPolicies) -> None:
    """Raise WrongTerms when the account does not see a policy. Only for those who may have the session."""
    for arn in terms.bounds.arns if terms.bounds is not None else ():
        if managed.default_document(tx, account, arn) is None:
            raise WrongTerms(f"Policy {arn} does not exist or is not attachable.")


def tags_of(request: Request) -> dict[str, str]:
    """Answer the session tags of a request."""
    return checked_tags((tag["Key"], tag["Value"]) for tag in request.take_all("Tags") or ())


def checked_tags(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Answer the tags; raise WrongTerms for keys that differ in case only, are reserved, or too many."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for key, value in pairs:
        if key.lower() in seen:
            raise WrongTerms(f"Duplicate tag keys found: {key}. Tag keys are not told apart by case.")
        if key.lower().startswith("aws:"):
            raise WrongTerms(f"The tag key {key} begins with aws:, which is reserved.")
        seen.add(key.lower())
        found[key] = value
    if len(found) > MOST_TAGS:
        raise WrongTerms(f"A session has at most {MOST_TAGS} tags.")
    return found


def transitive_of(keys: Iterable[str], tags: Mapping[str, str]) -> tuple[str, ...]:
    """Answer the keys, checked to be those of tags."""
    wanted = tuple(dict.fromkeys(keys))
    known = {key.lower() for key in tags}
    for key in wanted:
        if key.lower() not in known:
            raise WrongTerms(f"The transitive tag key {key} is none of the tags that are passed.")
    return wanted


def inherited(
    tags: Mapping[str, str], keys: Iterable[str], kept: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Answer tags and transitive keys with those that the caller's own session hands on."""
    own = {key.lower() for key in kept}
    for key in tags:
        if key.lower() in own:
            raise WrongTerms(f"The tag {key} is handed on by the calling session and cannot be set anew.")
    return {**tags, **kept}, [*keys, *kept]


def _checked(document: str) -> str:
    if len(document) > LONGEST:
        raise PackedPolicyTooLarge(f"A session policy has at most {LONGEST} characters.")
    try:
        validate(document, Dialect.IAM)
    except MalformedPolicy as error:
        raise MalformedSessionPolicy(str(error)) from error
    return document


def _packed(bounds: Bounds, tags: Mapping[str, str]) -> int:
    size = len(zlib.compress(json.dumps([bounds.documents, bounds.arns, dict(tags)]).encode()))
    return max(1, round(100 * size / LONGEST))
