"""A device that lost the reply, and came back when its token was no longer good: what it was given must not live on."""

import pytest

from hedgerow.services.iot.provisioning import ENROLMENT_OVER
from hedgerow.store import FollowUp
from tests.support.registry import Registry
from tests.support.store import CALLER
from tests.unit.core.template.templates import template
from tests.unit.services.iot.provisioning.bench import Bench
from tests.unit.services.iot.provisioning.test_flows import THING, enrol_by_request, principals


@pytest.fixture
def bench(registry: Registry) -> Bench:
    bench = Bench(registry)
    bench.template(template(THING))
    bench.authority.key_number = 1
    return bench


def an_hour_passes(bench: Bench, certificate: str) -> None:
    row = FollowUp(seq=1, account=CALLER.account, kind=ENROLMENT_OVER, key=certificate, due_at=0.0, body={})
    with bench.store.tx() as tx:
        bench.follow_ups.on_enrolment_over(tx, row)


def connects(bench: Bench, certificate: str) -> None:
    with bench.store.tx() as tx:
        bench.registry.enrolment_store.connected(tx, CALLER.account, certificate)


def rows(bench: Bench) -> list[str]:
    return [row for row in bench.dump() if row.startswith("iot_enrolment:")]


def status_of_all(bench: Bench) -> list[str]:
    return sorted(str(bench.status(one)) for one in principals(bench, "branch-017"))


@pytest.mark.spec("BS-03", "BS-41")
def test_what_nobody_came_with_ends_when_the_holder_of_its_key_is_given_another(bench: Bench) -> None:
    enrol_by_request(bench, "branch-017")
    (lost,) = principals(bench, "branch-017")
    an_hour_passes(bench, lost)

    assert enrol_by_request(bench, "branch-017")[0] == "accepted"

    assert status_of_all(bench) == ["ACTIVE", "INACTIVE"]
    assert bench.status(lost) == "INACTIVE"


def test_a_certificate_with_which_the_device_has_come_stays(bench: Bench) -> None:
    enrol_by_request(bench, "branch-017")
    (used,) = principals(bench, "branch-017")
    connects(bench, used)

    assert enrol_by_request(bench, "branch-017")[0] == "accepted"

    assert status_of_all(bench) == ["ACTIVE", "ACTIVE"]


def test_what_a_device_was_answered_is_forgotten_when_its_token_is_over(bench: Bench) -> None:
    enrol_by_request(bench, "branch-017")
    (certificate,) = principals(bench, "branch-017")

    an_hour_passes(bench, certificate)
    (later,) = rows(bench)
    connects(bench, certificate)
    an_hour_passes(bench, certificate)

    assert "branch-017" in later
    assert "deviceConfiguration" not in later
    assert rows(bench) == []


def test_nothing_is_remembered_of_a_certificate_that_an_operator_ended(bench: Bench) -> None:
    enrol_by_request(bench, "branch-017")
    (certificate,) = principals(bench, "branch-017")
    request = {"certificateId": certificate, "newStatus": "REVOKED"}
    bench.store.run(bench.registry.certificates.update_certificate, request)

    an_hour_passes(bench, certificate)

    assert rows(bench) == []
