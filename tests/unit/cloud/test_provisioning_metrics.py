"""AWS's metrics of provisioning: what is counted, what is written, and what is lost by whom."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from hedgerow.base.errors import Unavailable
from hedgerow.cloud import provisioning_metrics
from hedgerow.cloud.provisioning_metrics import ProvisioningMetrics
from hedgerow.gateway.ports import Asked, Message
from hedgerow.services.cloudwatch.metrics.model import Series
from hedgerow.services.iot.ca_certificates import FirstConnection, NotProvisioned
from hedgerow.store import Answer, Tx
from tests.support.clock import FakeClock
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun, MemoryStore

CREATE = "$aws/certificates/create/json"
FROM_CSR = "$aws/certificates/create-from-csr/cbor"
FLEET = "$aws/provisioning-templates/fleet/provision/json"
CLAIM = "c" * 64


class Values:
    """Keeps what is put."""

    def __init__(self) -> None:
        self.put: dict[tuple[str, str, tuple[tuple[str, str], ...]], Mapping[float, int]] = {}
        self.broken = False

    async def put_all(self, account: str, values: Mapping[Series, Mapping[float, int]], at: float) -> None:
        if self.broken:
            raise Unavailable("the disk is full")
        for series, counts in values.items():
            assert (series.namespace, series.unit) == ("AWS/IoT", "Count")
            self.put[account, series.name, series.dimensions] = dict(counts)


class Templates:
    """There is one, `fleet`."""

    def get(self, tx: Tx, account: str, name: str) -> object | None:
        return name if name == "fleet" else None


@pytest.fixture
def values() -> Values:
    return Values()


@pytest.fixture
def metrics(values: Values) -> ProvisioningMetrics:
    return ProvisioningMetrics(values=values, run=MemoryRun(MemoryStore()), templates=Templates(), clock=FakeClock())


def answered(metrics: ProvisioningMetrics, topic: str, ending: str = "accepted", **message: Any) -> None:
    said = {"account": CALLER.account, "topic": topic, "payload": b"", "principal": CLAIM, **message}
    metrics.asked(Asked(message=Message(**said)), Answer({"replies": ((f"{topic}/{ending}", b""),)}))


def flushed(metrics: ProvisioningMetrics, values: Values) -> dict[tuple[str, tuple[tuple[str, str], ...]], Any]:
    asyncio.run(metrics.flush())
    return {(name, dimensions): counts for (_, name, dimensions), counts in values.put.items()}


def test_each_call_counts_as_failed_or_not(metrics: ProvisioningMetrics, values: Values) -> None:
    for topic, ending in (
        (CREATE, "accepted"),
        (CREATE, "rejected"),
        (CREATE, "accepted"),
        (FROM_CSR, "rejected"),
        (FLEET, "accepted"),
        (FLEET, "rejected"),
        ("$aws/things/lamp/shadow/get", "rejected"),
    ):
        answered(metrics, topic, ending)

    assert flushed(metrics, values) == {
        ("CreateKeysAndCertificateFailed", ()): {0.0: 2, 1.0: 1},
        ("CreateCertificateFromCsrFailed", ()): {1.0: 1},
        ("RegisterThingFailed", (("TemplateName", "fleet"),)): {0.0: 1, 1.0: 1},
        ("ApproximateNumberOfThingsRegistered", (("ClaimCertificateId", CLAIM),)): {1.0: 1},
    }


def test_a_template_that_is_not_there_makes_no_metric(metrics: ProvisioningMetrics, values: Values) -> None:
    for number in range(3):
        answered(metrics, f"$aws/provisioning-templates/made-up-{number}/provision/json", "rejected")

    assert flushed(metrics, values) == {}


def test_what_was_written_is_not_written_again(metrics: ProvisioningMetrics, values: Values) -> None:
    answered(metrics, CREATE)
    flushed(metrics, values)
    values.put.clear()

    assert flushed(metrics, values) == {}


@pytest.mark.parametrize(
    ("why", "name"), [(None, "Success"), ("ResourceNotFound", "ClientError"), ("InternalFailure", "ServerError")]
)
def test_first_connections_count_by_how_they_ended(
    metrics: ProvisioningMetrics, values: Values, why: str | None, name: str
) -> None:
    why_not = None if why is None else NotProvisioned(why, "it is so")
    metrics.connected(
        FirstConnection(account=CALLER.account, certificate_id=CLAIM, address="", template=None, why_not=why_not)
    )

    assert flushed(metrics, values) == {(f"ProvisionThing.{name}", ()): {1.0: 1}}


def test_accounts_do_not_meet(metrics: ProvisioningMetrics, values: Values) -> None:
    answered(metrics, CREATE)
    answered(metrics, CREATE, account=OTHER_ACCOUNT.account)
    asyncio.run(metrics.flush())

    assert {account for account, _, _ in values.put} == {CALLER.account, OTHER_ACCOUNT.account}


def test_what_is_too_much_or_cannot_be_written_is_counted_as_lost(
    metrics: ProvisioningMetrics, values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioning_metrics, "SERIES", 1)
    answered(metrics, CREATE)
    answered(metrics, FROM_CSR)
    values.broken = True

    asyncio.run(metrics.flush())

    assert metrics.dropped == 2
