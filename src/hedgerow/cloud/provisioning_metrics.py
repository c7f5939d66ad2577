"""AWS's own metrics of provisioning, in `AWS/IoT`: calls by MQTT that failed or not, and first connections.

They are counted in memory and written together, so that ten thousand devices cost a few transactions more: a crash
loses the last seconds, which the record of attempts has. Bound: SERIES at once; what is more is dropped and counted.
Spec: AWS IoT developer guide, "AWS IoT metrics and dimensions", device provisioning metrics.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.gateway.ports import Asked
from hedgerow.services.cloudwatch.metrics.model import Series
from hedgerow.services.iot.ca_certificates import FirstConnection
from hedgerow.store import Answer, Run, Tx

log = get_logger("metrics")

NAMESPACE: Final = "AWS/IoT"
FLUSH_S: Final = 5.0
SERIES: Final = 10_000
_CALLS: Final = {"create": "CreateKeysAndCertificateFailed", "create-from-csr": "CreateCertificateFromCsrFailed"}
_TEMPLATE: Final = "TemplateName"

_Key = tuple[str, str, tuple[tuple[str, str], ...]]  # account, metric, dimensions


class Values(Protocol):
    """Where metrics are kept."""

    async def put_all(self, account: str, values: Mapping[Series, Mapping[float, int]], at: float) -> None:
        """Add values, each with how often it was seen, in one transaction."""
        ...


class Templates(Protocol):
    """Which provisioning templates there are."""

    def get(self, tx: Tx, account: str, name: str) -> object | None:
        """Answer the template, None when there is none."""
        ...


class ProvisioningMetrics:
    """See the module. One per cloud; `asked` and `connected` are called on the loop and never wait."""

    def __init__(self, *, values: Values, run: Run, templates: Templates, clock: Clock) -> None:
        self._values = values
        self._run = run
        self._templates = templates
        self._clock = clock
        self._counted: dict[_Key, Counter[float]] = {}
        self.dropped = 0

    def asked(self, question: Asked, answer: Answer) -> None:
        """A request by topic was answered: count it, when it was one of provisioning."""
        message = question.message
        replies = answer.response.get("replies", ())
        if not message.topic.startswith("$aws/") or not replies:
            return
        failed = replies[0][0].endswith("/rejected")
        match message.topic.split("/"):
            case ["$aws", "certificates", call, _] if call in _CALLS:
                self._count(message.account, _CALLS[call], (), float(failed))
            case ["$aws", "provisioning-templates", name, "provision", _]:
                self._count(message.account, "RegisterThingFailed", ((_TEMPLATE, name),), float(failed))
                if not failed and question.by_certificate:
                    claim = (("ClaimCertificateId", message.principal),)
                    self._count(message.account, "ApproximateNumberOfThingsRegistered", claim, 1.0)

    def connected(self, outcome: FirstConnection) -> None:
        """A device of an own CA connected for the first time, and was provisioned or not."""
        ending = "Success"
        if outcome.why_not is not None:
            ending = "ServerError" if outcome.why_not.code == "InternalFailure" else "ClientError"
        self._count(outcome.account, f"ProvisionThing.{ending}", (), 1.0)

    def _count(self, account: str, name: str, dimensions: tuple[tuple[str, str], ...], value: float) -> None:
        key = (account, name, dimensions)
        counter = self._counted.get(key)
        if counter is None:
            if len(self._counted) >= SERIES:
                self.dropped += 1
                return
            counter = self._counted[key] = Counter()
        counter[value] += 1

    async def run(self) -> None:
        """Write what was counted, every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted. A template that is not there, or not any more, has no metric: anyone may name one."""
        counted, self._counted = self._counted, {}
        if not counted:
            return
        accounts: dict[str, dict[Series, Mapping[float, int]]] = {}
        try:
            for account, name, dimensions in await self._run.read(lambda tx: self._known(tx, counted)):
                series = Series(namespace=NAMESPACE, name=name, dimensions=dimensions, unit="Count")
                accounts.setdefault(account, {})[series] = counted[account, name, dimensions]
            for account, values in accounts.items():
                await self._values.put_all(account, values, self._clock.now())
        except Unavailable as error:
            self.dropped += sum(counter.total() for counter in counted.values())
            log.warning("metrics of provisioning were lost", extra={"fields": {"cause": str(error)}})

    def _known(self, tx: Tx, keys: Iterable[_Key]) -> list[_Key]:
        """Answer those whose template, if they have one, is there."""
        return [
            key
            for key in keys
            if (name := dict(key[2]).get(_TEMPLATE)) is None or self._templates.get(tx, key[0], name) is not None
        ]
