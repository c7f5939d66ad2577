"""What one connection may do: the policy engine's answers, remembered as long as they cannot change."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from hedgerow.core.policy import Dialect, compile_policies
from hedgerow.gateway.ports import Admitted

_NO_CONTEXT: Final[Mapping[str, Any]] = MappingProxyType({})
CACHED: Final = 256  # decisions per connection; what is beyond is decided each time


class DecisionLike(Protocol):
    """The answer to one question."""

    @property
    def allowed(self) -> bool: ...

    @property
    def cacheable(self) -> bool:
        """Tell whether the answer stays the same as long as the grants do."""
        ...

    def explain(self) -> str:
        """Answer why, in a sentence for logs."""
        ...


class GrantsLike(Protocol):
    """Compiled policies of one connection, its variables filled in."""

    def decide(self, action: str, resource: str, context: Mapping[str, Any] = ...) -> DecisionLike: ...


CompileGrants = Callable[[Admitted, str], GrantsLike]


def policy_grants(admitted: Admitted, client_id: str) -> GrantsLike:
    """Compile the documents of an admission; the client id is a variable of its own."""
    variables = {**admitted.variables, "iot:ClientId": client_id}
    return compile_policies(
        admitted.policies, dialect=Dialect(admitted.dialect), variables=variables, names=admitted.names
    )


class Permissions:
    """The grants of one connection with its decisions so far."""

    __slots__ = ("_arn", "_cache", "_grants", "_refused")

    def __init__(self, grants: GrantsLike, *, region: str, account: str) -> None:
        self._grants = grants
        self._arn = f"arn:aws:iot:{region}:{account}:"
        self._cache: dict[tuple[str, str], bool] = {}
        self._refused: tuple[str, str, Mapping[str, Any]] | None = None

    @property
    def last_refusal(self) -> str:
        """Answer why the last question was answered with no, in a sentence for logs."""
        return "" if self._refused is None else self._grants.decide(*self._refused).explain()

    def may(self, action: str, resource: str) -> bool:
        """Tell whether the action is allowed; `resource` is the ARN's end (`topic/a/b`)."""
        return self.decide(action, resource)[0]

    def decide(self, action: str, resource: str) -> tuple[bool, bool]:
        """Answer (allowed, stays so)."""
        known = self._cache.get((action, resource))
        if known is not None:
            if not known:
                self._refused = (action, self._arn + resource, _NO_CONTEXT)
            return known, True
        decision = self._grants.decide(action, self._arn + resource)
        allowed = decision.allowed
        if not allowed:
            self._refused = (action, self._arn + resource, _NO_CONTEXT)
        if not decision.cacheable:
            return allowed, False
        if len(self._cache) < CACHED:
            self._cache[action, resource] = allowed
        return allowed, True

    def may_connect(self, client_id: str, context: Mapping[str, Any]) -> bool:
        decision = self._grants.decide("iot:Connect", f"{self._arn}client/{client_id}", context)
        if not decision.allowed:
            self._refused = ("iot:Connect", f"{self._arn}client/{client_id}", context)
        return decision.allowed

    def topic_arn(self, topic: str) -> str:
        return f"{self._arn}topic/{topic}"
