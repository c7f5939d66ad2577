"""What policies grant: documents compiled once, asked often. An explicit deny wins, then any allow, else no.

`compile_policies` fills in the variables that are fixed (for a connection, a session); those that are not come with
each question. Statements are prepared per action, so that a decision is a look-up and one or two matches.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, Final

from hedgerow.core.policy.conditions import Requirement
from hedgerow.core.policy.document import Dialect, Effect, Policy, Statement, parse
from hedgerow.core.policy.patterns import (
    Lookup,
    Matcher,
    Tokens,
    Variable,
    filled,
    has_variables,
    matches,
    shown,
    with_defaults,
)
from hedgerow.core.policy.principals import Principal

Context = Mapping[str, "str | Sequence[str]"]
NOTHING: Final[Context] = {}
_ACTIONS: Final = 256  # prepared actions that are kept; further ones are prepared for each question


class Reason(Enum):
    """Why a decision is as it is, in AWS's words."""

    ALLOWED = "ALLOWED"
    EXPLICIT_DENY = "EXPLICIT_DENY"
    IMPLICIT_DENY = "IMPLICIT_DENY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a decision is as it is: the statement that decided, else the one that came nearest to allowing it.

    `missing` is the variable that has no value and kept that statement from it.
    """

    sentence: str
    policy: str | None = None
    statement: int | None = None
    sid: str | None = None
    missing: str | None = None


class Values:
    """Variables and context of one question. Names are looked up as written, then without regard to case."""

    __slots__ = ("_context", "_fixed", "_lower")

    def __init__(self, fixed: Context, context: Context = NOTHING) -> None:
        self._fixed = fixed
        self._context = context
        self._lower: dict[str, str | Sequence[str]] | None = None

    def __call__(self, name: str) -> Sequence[str] | None:
        value = self._fixed.get(name)
        if value is None:
            value = self._context.get(name)
        if value is None:
            value = self._without_case(name)
        if value is None and name.endswith(".List"):
            return self._listed(name.removesuffix(".List"))
        if value is None and name == "iot:Certificate.AvailableKeys":
            return [key for key in self._fixed if key.startswith("iot:Certificate.")] or None
        return (value,) if isinstance(value, str) else value

    def _without_case(self, name: str) -> str | Sequence[str] | None:
        if "[" in name:  # names of attributes are exact
            return None
        if self._lower is None:
            self._lower = {key.lower(): value for key, value in (*self._context.items(), *self._fixed.items())}
        return self._lower.get(name.lower())

    def _listed(self, name: str) -> Sequence[str] | None:
        """Answer all values of a certificate's attribute: `X`, `X.1` (the second), `X.2` …"""
        found: list[str] = []
        for number in range(5):
            values = self(name if number == 0 else f"{name}.{number}")
            if values is None:
                break
            found.extend(values)
        return found or None


class Decision:
    """The answer to one question."""

    __slots__ = ("_question", "cacheable", "reason")

    def __init__(self, reason: Reason, cacheable: bool, question: "_Question") -> None:
        self.reason = reason
        self.cacheable = cacheable
        self._question = question

    @property
    def allowed(self) -> bool:
        """Whether the action may be done."""
        return self.reason is Reason.ALLOWED

    def explain(self) -> str:
        """Answer a sentence that says which statement decided, or which right is missing."""
        return self.explanation().sentence

    def explanation(self) -> Explanation:
        """Answer the same with its parts."""
        grants, action, resource, context, principal = self._question
        return grants.explain(self.reason, action, resource, context, principal)

    def __repr__(self) -> str:
        return f"<Decision {self.reason.value}: {self.explain()}>"


class _Rule:
    """A statement with the fixed variables filled in: its resources when they are first needed."""

    __slots__ = ("_fixed", "_late", "_match", "_resources", "changes", "conditions", "denies", "name", "statement")

    def __init__(self, name: str, statement: Statement, fixed: Values, known: frozenset[str]) -> None:
        self.name = name
        self.statement = statement
        self.denies = statement.effect is Effect.DENY
        self._fixed = fixed
        self._resources: tuple[Tokens, ...] | None = None
        self._late: tuple[Tokens, ...] | None = None
        self._match: Matcher | None = None
        self.conditions: tuple[Requirement, ...] = ()
        if statement.conditions:
            conditions = [condition.filled(fixed) for condition in statement.conditions]
            self.conditions = tuple(
                c for c in conditions if not (_settled(c, known) and c.holds(fixed, denies=self.denies))
            )
        self.changes = bool(self.conditions) and not any(_settled(c, known) for c in self.conditions)

    @property
    def resources(self) -> tuple[Tokens, ...]:
        if self._resources is None:
            self._resources = tuple(filled(pattern, self._fixed) for pattern in self.statement.resources or ())
        return self._resources

    @property
    def late(self) -> tuple[Tokens, ...]:
        """Those with a variable that has no value yet."""
        if self._late is None:
            self._late = tuple(p for p in self.resources if has_variables(p))
        return self._late

    @property
    def match(self) -> Matcher:
        """Of the others."""
        if self._match is None:
            self._match = Matcher(with_defaults(p) for p in self.resources if not has_variables(p))
        return self._match

    @property
    def never(self) -> bool:
        """Whether a condition on fixed values fails, so that the statement can be forgotten."""
        return bool(self.conditions) and not self.changes

    @property
    def plain(self) -> bool:
        """Whether the resource alone decides."""
        return not (
            self.conditions
            or self.late
            or self.statement.not_resources
            or self.statement.resources is None
            or self.statement.principals is not None
        )

    def ready(self) -> Iterable[Tokens]:
        return (with_defaults(p) for p in self.resources)

    def about(self, action: str) -> bool:
        return self.statement.actions(action) is not self.statement.not_actions

    def covers(self, resource: str, values: Lookup) -> bool:
        if self.statement.resources is None:
            return True
        if self.match(resource):
            return not self.statement.not_resources
        late = [with_defaults(filled(pattern, values)) for pattern in self.late]
        if any(matches(pattern, resource) for pattern in late if not has_variables(pattern)):
            return not self.statement.not_resources
        if not self.statement.not_resources:
            return False
        # What an unknown variable stands for is excluded from an Allow, whatever it is; a Deny still holds.
        return self.denies or not any(has_variables(pattern) for pattern in late)

    def speaks_of(self, principal: Principal | None) -> bool:
        named = self.statement.principals
        if named is None:
            return True
        return principal is not None and principal.is_among(named) is not self.statement.not_principals

    def failing(self, values: Lookup) -> Requirement | None:
        """Answer the first condition that does not hold, or None."""
        for condition in self.conditions:
            if not condition.holds(values, denies=self.denies):
                return condition
        return None


def _settled(condition: Any, known: frozenset[str]) -> bool:
    return condition.key.lower() in known and not any(has_variables(value) for value in condition.values)


class _Plan:
    """What concerns one action."""

    __slots__ = ("allow", "allow_rules", "deny", "deny_rules")

    def __init__(self, rules: Sequence[_Rule]) -> None:
        self.deny = Matcher(p for rule in rules if rule.denies and rule.plain for p in rule.ready())
        self.allow = Matcher(p for rule in rules if not rule.denies and rule.plain for p in rule.ready())
        self.deny_rules = tuple(rule for rule in rules if rule.denies and not rule.plain)
        self.allow_rules = tuple(rule for rule in rules if not rule.denies and not rule.plain)


_Question = tuple["Grants", str, str, Context, Principal | None]


class Grants:
    """Compiled policies. Holds no state but prepared matchers; may be asked from any thread."""

    def __init__(self, policies: Sequence[tuple[str, Policy]], variables: Context) -> None:
        self._policies = policies
        self._variables = variables
        self._plans: dict[str, _Plan] = {}

    @cached_property
    def _all(self) -> tuple[_Rule, ...]:
        """Every statement, made ready at the first question: of thousands of connections most ask nothing for long."""
        fixed = Values(self._variables)
        known = frozenset(name.lower() for name in self._variables)
        return tuple(
            _Rule(name, statement, fixed, known) for name, policy in self._policies for statement in policy.statements
        )

    @cached_property
    def _rules(self) -> tuple[_Rule, ...]:
        return tuple(rule for rule in self._all if not rule.never)

    @cached_property
    def context_keys(self) -> frozenset[str]:
        """The keys, as written, that statements ask of the context because no fixed variable answers them."""
        keys = {condition.key for rule in self._rules for condition in rule.conditions}
        keys |= {v.name for rule in self._rules for p in rule.late for v in p if isinstance(v, Variable)}
        return frozenset(keys)

    def decide(
        self, action: str, resource: str, context: Context = NOTHING, *, principal: Principal | None = None
    ) -> Decision:
        """Decide. Fixed variables win over the context. `principal` is for trust and resource policies."""
        plan = self._plans.get(action) or self._prepare(action)
        question = (self, action, resource, context, principal)
        if plan.deny(resource):
            return Decision(Reason.EXPLICIT_DENY, True, question)
        values: Values | None = None
        cacheable = True
        for rule in plan.deny_rules:
            values = values or Values(self._variables, context)
            applies, lasting = self._applies(rule, resource, values, principal)
            cacheable = cacheable and lasting
            if applies:
                return Decision(Reason.EXPLICIT_DENY, cacheable, question)
        if plan.allow(resource):
            return Decision(Reason.ALLOWED, cacheable, question)
        for rule in plan.allow_rules:
            values = values or Values(self._variables, context)
            applies, lasting = self._applies(rule, resource, values, principal)
            cacheable = cacheable and lasting
            if applies:
                return Decision(Reason.ALLOWED, cacheable, question)
        return Decision(Reason.IMPLICIT_DENY, cacheable, question)

    def _applies(self, rule: _Rule, resource: str, values: Values, principal: Principal | None) -> tuple[bool, bool]:
        """Answer whether the rule applies, and whether it would the next time."""
        lasting = not rule.late or not any(
            isinstance(part, Variable) and values(part.name) is not None for pattern in rule.late for part in pattern
        )
        if not rule.speaks_of(principal) or not rule.covers(resource, values):
            return False, lasting
        if not rule.conditions:
            return True, lasting
        return rule.failing(values) is None, False

    def _prepare(self, action: str) -> _Plan:
        lower = action.lower()
        plan = _Plan([rule for rule in self._rules if rule.about(lower)])
        if len(self._plans) < _ACTIONS:
            self._plans[action] = plan
        return plan

    def explain(
        self, reason: Reason, action: str, resource: str, context: Context, principal: Principal | None
    ) -> Explanation:
        """Answer why."""
        values = Values(self._variables, context)
        about = [rule for rule in self._all if rule.about(action.lower())]
        if reason is not Reason.IMPLICIT_DENY:
            for rule in about:
                if (
                    rule.denies is (reason is Reason.EXPLICIT_DENY)
                    and rule.speaks_of(principal)
                    and rule.covers(resource, values)
                    and rule.failing(values) is None
                ):
                    word = "denied" if rule.denies else "allowed"
                    return _explained(f"{action} on {resource} is {word} by {_named(rule)}", rule)
        hints = (
            (rule, hint) for rule in about if not rule.denies and (hint := _hint(rule, resource, values, principal))
        )
        sentence = f"no statement allows {action} on {resource}"
        for rule, hint in hints:
            return _explained(f"{sentence}; {hint}", rule, _missing(rule, resource, values, principal))
        return Explanation(sentence=sentence)


def _named(rule: _Rule) -> str:
    sid = f" ({rule.statement.sid})" if rule.statement.sid else ""
    return f"statement {rule.statement.number}{sid} of {rule.name}"


def _explained(sentence: str, rule: _Rule, missing: str | None = None) -> Explanation:
    statement = rule.statement
    return Explanation(
        sentence=sentence, policy=rule.name, statement=statement.number, sid=statement.sid, missing=missing
    )


def _missing(rule: _Rule, resource: str, values: Lookup, principal: Principal | None) -> str | None:
    """Answer the first variable without a value that keeps a statement from allowing it."""
    if not rule.speaks_of(principal):
        return None
    if rule.covers(resource, values):
        failing = rule.failing(values)
        return failing.key if failing is not None and values(failing.key) is None else None
    names = (v.name for p in rule.late for v in filled(p, values) if isinstance(v, Variable) and v.default is None)
    return next(names, None)


def _hint(rule: _Rule, resource: str, values: Values, principal: Principal | None) -> str | None:
    """Say what keeps a statement about this action from allowing it."""
    if not rule.speaks_of(principal):
        return f"{_named(rule)} is for other principals"
    if rule.covers(resource, values):
        failing = rule.failing(values)
        if failing is None:
            return None
        why = "" if values(failing.key) is not None else f": {failing.key} has no value here"
        return f"in {_named(rule)} the condition {failing.operator} on {failing.key} does not hold{why}"
    missing = _missing(rule, resource, values, principal)
    if missing:
        return f"in {_named(rule)} the variable {missing} has no value here"
    word = "everything but" if rule.statement.not_resources else "only"
    return f"{_named(rule)} allows it on {word} {', '.join(shown(p) for p in rule.resources)}"


def compile_policies(
    documents: Iterable[str | Mapping[str, Any]],
    *,
    dialect: Dialect,
    variables: Context = NOTHING,
    names: Sequence[str] = (),
) -> Grants:
    """Compile documents; raise MalformedPolicy when one is none. `names` are for explanations, in order."""
    policies = [
        (names[index] if index < len(names) else f"policy {index + 1}", parse(document, dialect))
        for index, document in enumerate(documents)
    ]
    return Grants(policies, dict(variables))


def mentions(documents: Iterable[str], dialect: Dialect, keys: Collection[str]) -> bool:
    """Tell whether any of these keys (in lower case) may decide; raise MalformedPolicy when a document is none."""
    return any(not parse(document, dialect).keys.isdisjoint(keys) for document in documents)


def decide_trust(
    document: str | Mapping[str, Any], principal: Principal, action: str = "sts:AssumeRole", context: Context = NOTHING
) -> Decision:
    """Decide whether a role's trust policy lets the principal assume it."""
    grants = compile_policies((document,), dialect=Dialect.TRUST, names=("the trust policy",))
    return grants.decide(action, "*", context, principal=principal)
