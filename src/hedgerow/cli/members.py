"""Which members of requests are refused: from a run that sends every member of every input once.

Each call is made with what its operation requires, then once more with each further member. An operation that reads
or writes is rolled back; flows are made for good, in a folder that is thrown away. What an operation does not read is
refused (the same rule as in `api/pipeline.py`); an operation whose sample call does not succeed is told apart by
whether the member changed anything about its refusal.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from hedgerow.api import Row, Way
from hedgerow.api.operations import Flow, Operation
from hedgerow.base.errors import HedgerowError, NotImplementedYet, ServiceError
from hedgerow.cli.sample_calls import NAME, SEEDS
from hedgerow.cli.samples import Samples
from hedgerow.cloud.build import Cloud
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.request import MissingMember, Request
from hedgerow.core.wire import Catalogue, problems
from hedgerow.core.wire.model import Member, Shape
from hedgerow.store import Answer, Tx, checked_before_writing

DEADLINE_S: Final = 5.0
#: they end connections, wait for the world outside, or hand out what only they can
_LEFT_OUT: Final = frozenset({("lambda", "Invoke"), ("iot", "ConfirmTopicRuleDestination")})
_PLACE: Final = re.compile(r"\[\d+\]")
_KEY: Final = re.compile(r"\.(?:sample|[A-Z_]+)(?=\.|$)")  # of a map: ours, or an enumeration's

Path = tuple[str, ...]


@dataclass(slots=True)
class Found:
    """What is known of one operation's members."""

    refused: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a call ended: what was not read, or why it was refused."""

    unread: frozenset[str] = frozenset()
    refusal: tuple[str, str] | None = None
    by_name: bool = False


class _RolledBack(Exception):
    """Carries an outcome out of a transaction that is to leave nothing."""

    def __init__(self, outcome: _Outcome) -> None:
        super().__init__()
        self.outcome = outcome


class Trial:
    """Makes the calls."""

    def __init__(self, cloud: Cloud, catalogue: Catalogue, samples: Samples | None = None) -> None:
        self._cloud = cloud
        self._catalogue = catalogue
        self.crashes: list[str] = []
        """What no client may ever see: exceptions that are nobody's refusal."""
        self._samples = samples or Samples(account=cloud.account, region=cloud.region)
        self._root = self._caller = Caller(
            account=cloud.account,
            region=cloud.region,
            principal=f"arn:aws:iam::{cloud.account}:root",
            kind=Kind.ROOT,
            request_id="11111111-2222-4333-8444-555555555555",
            access_key_id=cloud.access_key_id,
            source_ip="127.0.0.1",
        )
        self._user = replace(self._root, kind=Kind.USER, principal=f"arn:aws:iam::{cloud.account}:user/{NAME}")

    async def seed(self) -> None:
        """Make what the sample calls are about; what cannot be made is left out."""
        for service, operation, given, learnt in SEEDS:
            row = self._cloud.operations.get((service, operation))
            if row is None:
                continue
            shape = self._input(service, operation)
            self._samples.where = (service, operation)
            params = {**(self._samples.structure(shape) if shape else {}), **given}
            try:
                answer = await self._when_ready(row, params)
            except HedgerowError:
                continue
            self._samples.learn(**{name: _at(answer, path) for name, path in learnt.items()})

    async def _when_ready(self, row: Row, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make it; where an index is being built, try again."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    return await self._made(row, Request(params))
                except ServiceError as error:
                    if error.code != "IndexNotReadyException":
                        raise
                await asyncio.sleep(0.02)

    @property
    def caller(self) -> Caller:
        """The root of the account that calls."""
        return self._root

    def sample(self, service: str, operation: str) -> dict[str, Any]:
        """Answer the sample input of an operation."""
        self._samples.where = (service, operation)
        self._samples.fresh = False
        shape = self._input(service, operation)
        return self._samples.base(shape) if shape else {}

    async def members(self, service: str, operation: str) -> Found:
        """Answer what becomes of the members of one operation's input."""
        found = Found()
        shape = self._input(service, operation)
        row = self._cloud.operations[service, operation]
        if shape is None or (service, operation) in _LEFT_OUT:
            return found
        self._samples.where = (service, operation)
        self._caller = self._user if service == "sts" else self._root  # root may assume no role
        base = await self._baseline(service, operation, row, shape)
        required = {(name,) for name in shape.required}
        for path in _paths(shape):
            if path in required and not _below(shape, path):
                continue
            verdict = await self._verdict(service, operation, row, shape, path, base)
            if verdict is None:
                found.unknown.append(".".join(path))
            elif verdict:
                found.refused.append(".".join(path))
        for above in dict.fromkeys(path[:end] for path in _paths(shape) for end in range(1, len(path))):
            for params in self._with(shape, above):  # structures with nothing in them: only to see what breaks
                await self._outcome(service, operation, row, params)
        everything = [".".join(path) for path in _paths(shape)]
        return Found(_together(found.refused, everything), _together(found.unknown, everything))

    def _input(self, service: str, operation: str) -> Shape | None:
        model = self._catalogue.model(service)
        found = model.operation(operation) if model else None
        return found.input if found else None

    async def _baseline(self, service: str, operation: str, row: Row, shape: Shape) -> _Outcome:
        """Try what is there, then new names, and stay with what succeeds."""
        outcomes = []
        for fresh in (False, True):
            self._samples.fresh = fresh
            outcomes.append(await self._outcome(service, operation, row, self._samples.base(shape)))
            if outcomes[-1].refusal is None:
                return outcomes[-1]
        self._samples.fresh = False
        return outcomes[0]

    async def _verdict(
        self, service: str, operation: str, row: Row, shape: Shape, path: Path, base: _Outcome
    ) -> bool | None:
        """Say whether the member is refused, None when nobody can tell. One accepted value is enough to be honoured."""
        verdicts: list[bool | None] = []
        for params in self._with(shape, path):
            outcome = await self._outcome(service, operation, row, params)
            verdicts.append(_judged(outcome, base, ".".join(path)))
            if verdicts[-1] is False:
                return False
        return None if None in verdicts or not verdicts else True

    def _with(self, shape: Shape, path: Path) -> Iterator[dict[str, Any]]:
        """Answer inputs that hold the member at the path, one for each value to try."""
        base = self._samples.base(shape)
        for value in self._at(shape, path):
            yield {**base, **value, path[0]: value[path[0]]}

    def _at(self, shape: Shape, path: Path) -> Iterator[Any]:
        name, rest = path[0], path[1:]
        member = shape.members[name]
        base = {} if shape.union else self._samples.structure(shape)
        inner = self._inside(member, rest) if rest else self._samples.values(member, name)
        for value in inner:
            yield {**base, name: value}

    def _inside(self, member: Member, rest: Path) -> Iterator[Any]:
        shape = member.shape
        if shape.type == "structure":
            yield from self._at(shape, rest)
        elif shape.type == "list" and shape.member is not None:
            for value in self._inside(shape.member, rest):
                yield [value]
        elif shape.value is not None and shape.key is not None:
            for value in self._inside(shape.value, rest):
                yield {str(self._samples.value(shape.key, "key")): value}

    async def _outcome(self, service: str, operation: str, row: Row, params: dict[str, Any]) -> _Outcome:
        model = self._catalogue.model(service)
        found = model.operation(operation) if model else None
        if found is not None and (wrong := problems(service, found, params)):
            return _Outcome(refusal=("sample", wrong[0]))
        request = Request(params)
        try:
            async with asyncio.timeout(DEADLINE_S):
                if row.way is Way.FLOW:
                    with checked_before_writing(lambda: _refuse_unread(request)):
                        await cast("Flow", row.method)(request, self._caller)
                    return _Outcome(frozenset(map(_plain, request.unread())))
                return await self._tried(row, params)
        except NotImplementedYet as error:
            return _Outcome(refusal=(error.code, error.message), by_name=True)
        except ServiceError as error:
            return _Outcome(refusal=(error.code, error.message))
        except MissingMember as error:
            return _Outcome(refusal=("sample", error.path))
        except (HedgerowError, TimeoutError) as error:
            return _Outcome(refusal=(type(error).__name__, str(error)))
        except Exception as error:  # noqa: BLE001 - our own mistake: the page goes on, and a test reads of it
            self.crashes.append(f"{service}:{operation} {type(error).__name__}: {error}")
            return _Outcome(refusal=("InternalFailure", str(error)))

    async def _tried(self, row: Row, params: dict[str, Any]) -> _Outcome:
        operation = cast("Operation", row.method)

        def work(tx: Tx) -> Answer:
            request = Request(params)
            operation(tx, request, self._caller)
            raise _RolledBack(_Outcome(frozenset(map(_plain, request.unread()))))

        try:
            await (self._cloud.run.read(work) if row.way is Way.READ else self._cloud.run.write(work))
        except _RolledBack as end:
            return end.outcome
        raise AssertionError("work always raises")

    async def _made(self, row: Row, request: Request) -> Mapping[str, Any]:
        if row.way is Way.FLOW:
            return await cast("Flow", row.method)(request, self._caller)
        operation = cast("Operation", row.method)
        return (await self._cloud.run.write(lambda tx: operation(tx, request, self._caller))).response


def _refuse_unread(request: Request) -> None:
    """Do before a flow's first step that writes what `api/pipeline.py` does."""
    if unread := request.unread():
        raise NotImplementedYet(f"{', '.join(unread)} is not read")


def _judged(outcome: _Outcome, base: _Outcome, path: str) -> bool | None:
    if outcome.refusal is None:
        return any(path == unread or path.startswith(f"{unread}.") for unread in outcome.unread)
    if outcome.by_name and not base.by_name:
        return True
    if outcome.refusal[0] == "sample" or (base.refusal is not None and outcome.refusal == base.refusal):
        return None
    return False  # another refusal: the member was looked at


def _paths(shape: Shape, above: Path = (), seen: tuple[str, ...] = ()) -> Iterator[Path]:
    """Answer all members at every depth, once for a shape that contains itself."""
    if shape.name in seen:
        return
    for name, member in shape.members.items():
        below = _element(member.shape)
        if below.type == "structure" and below.members and not below.document:
            deeper = list(_paths(below, (*above, name), (*seen, shape.name)))
            yield from deeper or [(*above, name)]
        else:
            yield (*above, name)


def _element(shape: Shape) -> Shape:
    while shape.type in ("list", "map"):
        inner = shape.member or shape.value
        assert inner is not None  # noqa: S101 - the model's lists and maps have one
        shape = inner.shape
    return shape


def _together(some: list[str], everything: list[str]) -> list[str]:
    """Answer the paths with those that are all of a structure's written as the structure."""
    short: list[str] = []
    for path in some:
        parts = path.split(".")
        for end in range(1, len(parts) + 1):
            above = ".".join(parts[:end])
            if all(each in some for each in everything if each == above or each.startswith(f"{above}.")):
                short.append(above)
                break
    return list(dict.fromkeys(short))


def _below(shape: Shape, path: Path) -> bool:
    return _element(shape.members[path[0]].shape).type == "structure"


def _plain(path: str) -> str:
    """Answer a request's path as the model has it: without places in lists and keys of maps."""
    return _KEY.sub("", _PLACE.sub("", path))


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value[name]
    return value


@dataclass(frozen=True, slots=True)
class Members:
    """What the run found by operation, what no client may ever see, and why other operations are not there."""

    found: Mapping[tuple[str, str], Found]
    crashes: tuple[str, ...]
    hints: Mapping[tuple[str, str], str]


async def try_members(cloud: Cloud, catalogue: Catalogue) -> Members:
    """Send every member of every input of everything that a cloud answers."""
    trial = Trial(cloud, catalogue)
    await trial.seed()
    found = {key: await trial.members(*key) for key in sorted(cloud.operations)}
    return Members(found, tuple(dict.fromkeys(trial.crashes)), cloud.hints)
