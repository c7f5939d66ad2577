import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hedgerow.base.errors import ServiceError
from hedgerow.cloud.device_authority import DeviceAuthority
from hedgerow.cloud.registry import Stores
from hedgerow.cloud.vending import CertificatesInUse, VendingRegistrar
from hedgerow.core import pki
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.events import Published
from hedgerow.core.request import Request
from hedgerow.services.iot.provisioning_templates.model import FLEET, JUST_IN_TIME, Hook, ProvisioningTemplate
from hedgerow.services.iot.vending import (
    OVER,
    Secrets,
    Throttles,
    VendingFlows,
    VendingFollowUps,
    VendingOperations,
    VendingStore,
    neighbourhood,
)
from hedgerow.services.iot.vending.errors import AlreadyIssued, DeviceUnknown, NotAccepted, TooMany, Unfit
from hedgerow.services.iot.vending.flows import TOPIC, WAITING
from hedgerow.services.iot.vending.model import APPROVED_S, MOST_GUESSES, MOST_IMPORTED, PENDING_S, Throttle
from hedgerow.store import FollowUp, Tx
from tests.support.clock import FakeClock
from tests.support.registry import Registry, contents
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun
from tests.unit.core.template.templates import template
from tests.unit.services.iot.provisioning.bench import FakeRoles

ROLE = "arn:aws:iam::123456789012:role/fleet"
NOBODY = Caller(
    account="",
    region=CALLER.region,
    principal="anonymous",
    kind=Kind.ANONYMOUS,
    request_id="1",
    source_ip="192.0.2.1",
)
BODY = template({"ThingName": {"Ref": "ThingName"}, "AttributePayload": {"serial": {"Ref": "SerialNumber"}}})


def request_for(key: ec.EllipticCurvePrivateKey) -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lamp")])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
CSR, OTHER_CSR = request_for(KEY), request_for(OTHER_KEY)


class Bench:
    def __init__(self, registry: Registry) -> None:
        self.registry, self.store = registry, registry.store
        self.devices, self.roles, self.run = VendingStore(), FakeRoles(), MemoryRun(registry.store)
        secrets = Secrets(b"k" * 32)
        self.operations = VendingOperations(
            devices=self.devices,
            templates=registry.template_store,
            certificates=CertificatesInUse(registry.certificate_store),
            secrets=secrets,
            pages=registry.pages,
        )
        self.throttles = Throttles(registry.store.clock)
        authority = pki.new_device_authority(registry.store.clock.now(), kind="p256")
        self.flows = VendingFlows(
            run=self.run,
            devices=self.devices,
            accounts=self,
            certificates=CertificatesInUse(registry.certificate_store),
            first_account=CALLER.account,
            secrets=secrets,
            throttles=self.throttles,
            authority=DeviceAuthority(authority=authority, clock=registry.store.clock, host_names=("cloud.test",)),
            registrar=VendingRegistrar(
                stores=Stores(),
                entries=registry.certificates,
                registration=registry.registration(rights=self.roles),
            ),
            attempts=registry.attempts,
        )
        self.follow_ups = VendingFollowUps(devices=self.devices)

    def exists(self, tx: Tx, account: str) -> bool:
        """Answer as the accounts do."""
        return account in (CALLER.account, OTHER_ACCOUNT.account)

    def template(
        self, name: str = "fleet", kind: str = FLEET, *, hook: bool = False, enabled: bool = True, body: str = BODY
    ) -> None:
        made = ProvisioningTemplate(
            name=name,
            description=None,
            enabled=enabled,
            role_arn=ROLE,
            hook=Hook(function_arn="f", payload_version="2020-04-01") if hook else None,
            default_version=1,
            last_version=1,
            created_at=0.0,
            updated_at=0.0,
            type=kind,
        )
        with self.store.tx() as tx:
            self.registry.template_store.add(tx, CALLER.account, made, body)

    def ask(
        self, serial: str = "4711", token: str = "t", csr: str = CSR, caller: Caller = NOBODY, **more: str
    ) -> Mapping[str, Any]:
        given = {"serialNumber": serial, "token": token, "certificateSigningRequest": csr, **more}
        return asyncio.run(self.flows.request_certificate(Request(given), caller))

    def approve(self, serial: str = "4711", caller: Caller = CALLER, **more: Any) -> Mapping[str, Any]:
        given = {"serialNumber": serial, "templateName": "fleet", **more}
        return dict(self.store.run(self.operations.approve_vending_request, given, caller).response["device"])

    def deny(self, serial: str = "4711") -> None:
        self.store.run(self.operations.deny_vending_request, {"serialNumber": serial})

    def imported(self, *devices: dict[str, Any], **more: Any) -> Mapping[str, Any]:
        given = {"templateName": "fleet", "devices": list(devices), **more}
        return self.store.run(self.operations.import_vending_devices, given).response

    def listed(self, caller: Caller = CALLER, **question: Any) -> list[tuple[str, str]]:
        answer = self.store.run(self.operations.list_vending_requests, question, caller).response
        return [(each["serialNumber"], each["state"]) for each in answer["devices"]]

    def told(self) -> list[dict[str, Any]]:
        return [
            json.loads(event.payload)
            for event in self.run.events
            if isinstance(event, Published) and event.topic == TOPIC
        ]

    def things(self) -> list[str]:
        listed = self.store.run(self.registry.things.list_things).response["things"]
        return [each["thingName"] for each in listed]


@pytest.fixture
def bench(registry: Registry) -> Bench:
    made = Bench(registry)
    made.template()
    return made


@pytest.mark.spec("AL-59", "AL-60", "AL-61")
def test_an_unknown_device_waits_is_news_once_and_gets_a_certificate_when_it_is_approved(bench: Bench) -> None:
    waited = [bench.ask() for _ in range(3)]
    approved = bench.approve(parameters={"ThingName": "lamp"})

    done = bench.ask()

    assert waited == [WAITING] * 3
    assert [news["serialNumber"] for news in bench.told()] == ["4711"]
    assert (approved["state"], approved["decidedBy"]) == ("APPROVED", CALLER.principal)
    assert (done["status"], done["thingName"], done["deviceConfiguration"]) == ("ISSUED", "lamp", {})
    certificate = pki.read_certificate(done["certificatePem"])
    assert certificate.public_key() == KEY.public_key()
    assert done["certificateId"] == pki.certificate_id(certificate)
    thing = bench.store.run(bench.registry.things.describe_thing, {"thingName": "lamp"}).response
    assert thing["attributes"] == {"serial": "4711"}
    (record,) = bench.registry.record()
    assert (record["way"], record["outcome"], record["address"]) == ("VENDING", "ACCEPTED", "192.0.2.1")


def test_decisions_are_told_to_the_account(bench: Bench) -> None:
    bench.ask()
    request: dict[str, Any] = {"serialNumber": "4711", "templateName": "fleet"}

    approved = bench.store.run(bench.operations.approve_vending_request, request).events
    denied = bench.store.run(bench.operations.deny_vending_request, {"serialNumber": "4711"}).events
    devices = [{"serialNumber": serial, "token": "its own"} for serial in ("4711", "new")]
    request = {"templateName": "fleet", "devices": devices}
    imported = bench.store.run(bench.operations.import_vending_devices, request).events

    told = [event for event in (*approved, *denied, *imported) if isinstance(event, Published)]
    assert {event.topic for event in told} == {"hedgerow/vending/decided/4711"}
    assert [json.loads(event.payload)["state"] for event in told] == ["APPROVED", "DENIED", "APPROVED"]


@pytest.mark.spec("AL-62")
def test_a_device_that_was_imported_is_served_at_once(bench: Bench) -> None:
    done = bench.imported({"serialNumber": "4711", "token": "t", "parameters": {"ThingName": "lamp"}})

    assert done == {"imported": 1, "alreadyIssued": [], "denied": []}
    assert bench.ask()["thingName"] == "lamp"
    assert bench.told() == []


@pytest.mark.spec("AL-62")
def test_a_token_is_good_once_but_a_lost_answer_is_given_again(bench: Bench) -> None:
    bench.imported({"serialNumber": "4711", "token": "t"})

    first, again = bench.ask(), bench.ask()

    assert first == again
    with pytest.raises(NotAccepted):
        bench.ask(csr=OTHER_CSR)
    assert "another key" in bench.registry.record()[0]["reason"]
    assert bench.things() == ["4711"]


def test_who_shows_another_token_does_not_take_the_place_of_who_waits(bench: Bench) -> None:
    bench.ask(token="first")

    with pytest.raises(NotAccepted):
        bench.ask(token="second")
    bench.approve()
    with pytest.raises(NotAccepted):
        bench.ask(token="second")

    assert bench.ask(token="first")["status"] == "ISSUED"


def test_who_is_denied_or_whose_approval_expired_gets_nothing(bench: Bench) -> None:
    bench.ask()
    bench.deny()
    with pytest.raises(NotAccepted):
        bench.ask()
    bench.approve()
    bench.store.clock.advance(APPROVED_S + 1)
    with pytest.raises(NotAccepted):
        bench.ask()

    assert [each["reason"] for each in bench.registry.record()] == ["its approval has expired", "it was denied"]
    bench.approve(expiresAt=bench.store.clock.now() + 10)
    assert bench.ask()["status"] == "ISSUED"


def test_a_device_is_given_another_certificate_only_when_it_is_approved_again(bench: Bench) -> None:
    bench.imported({"serialNumber": "4711", "token": "t"})
    first = bench.ask()["certificateId"]
    request = {"certificateId": first, "newStatus": "REVOKED"}
    bench.store.run(bench.registry.certificates.update_certificate, request)

    left = bench.imported({"serialNumber": "4711", "token": "t", "parameters": {"ThingName": "4711"}})
    with pytest.raises(NotAccepted):  # the lost answer is of no use any more
        bench.ask()
    assert "deactivated" in bench.registry.record()[0]["reason"]
    bench.approve()

    assert left == {"imported": 0, "alreadyIssued": ["4711"], "denied": []}
    assert bench.ask(csr=OTHER_CSR)["certificateId"] != first


def test_a_list_that_is_imported_again_takes_no_denial_back(bench: Bench) -> None:
    bench.ask("4711")
    bench.ask("4712", "what a stranger said")
    for serial in ("4711", "4712"):
        bench.deny(serial)

    listed = [
        {"serialNumber": serial, "token": "t", "parameters": {"ThingName": serial}} for serial in ("4711", "4712")
    ]
    done = bench.imported(*listed)

    assert done == {"imported": 1, "alreadyIssued": [], "denied": ["4711"]}
    assert bench.listed() == [("4711", "DENIED"), ("4712", "APPROVED")]


def test_two_who_approve_a_device_at_once_let_it_have_one_certificate(bench: Bench) -> None:
    bench.ask()
    bench.approve()
    issued = bench.ask()

    with pytest.raises(AlreadyIssued, match="4711"):
        bench.approve()

    assert bench.listed() == [("4711", "ISSUED")]
    assert bench.ask() == issued


def test_what_the_template_refuses_leaves_nothing_and_the_device_may_come_again(bench: Bench) -> None:
    bench.imported({"serialNumber": "4711", "token": "t"})
    bench.roles.denied = {"iot:CreateThing"}
    before = contents(bench.registry)

    with pytest.raises(NotAccepted):
        bench.ask()

    assert contents(bench.registry) == before
    assert "iot:CreateThing" in bench.registry.record()[0]["reason"]
    bench.roles.denied = set()
    assert bench.ask()["status"] == "ISSUED"


@pytest.mark.parametrize("more", [{"csr": "nonsense"}, {"csr": CSR.replace("M", "N", 1)}, {"csr": CSR * 2000}])
def test_a_bad_signing_request_is_refused_before_anything_is_written(bench: Bench, more: dict[str, Any]) -> None:
    with pytest.raises(Unfit):
        bench.ask(**more)

    assert bench.listed() == []


@pytest.mark.spec("AL-41")
def test_a_bad_signing_request_of_a_known_device_is_in_the_record(bench: Bench) -> None:
    bench.imported({"serialNumber": "4711", "token": "t"})
    for serial, token in (("4710", "t"), ("4711", "another"), ("4711", "t"), ("4711", "t")):
        with pytest.raises(Unfit):
            bench.ask(serial, token, csr="nonsense")

    (record,) = bench.registry.record()
    assert (record["outcome"], record["device"]) == ("REFUSED", "4711")
    assert "signing request cannot be used" in record["reason"]


def test_bad_signing_requests_are_no_way_to_guess_a_token(bench: Bench) -> None:
    bench.imported({"serialNumber": "4711", "token": "t"})
    with bench.throttles.expecting(CALLER.account, "4711"):  # as from many addresses
        for number in range(MOST_GUESSES):
            with pytest.raises(Unfit):
                bench.ask(token=f"guess {number}", csr="nonsense")

        with pytest.raises(TooMany):
            bench.ask()


def test_an_address_that_asks_too_often_is_told_to_ask_later(bench: Bench) -> None:
    for _ in range(30):
        bench.ask()

    with pytest.raises(TooMany):
        bench.ask()
    bench.store.clock.advance(60)
    bench.ask()


@pytest.mark.spec("AL-60")
def test_a_factory_that_is_approved_at_once_is_served_at_once(bench: Bench) -> None:
    for _ in range(30):
        bench.ask("4710")
    bench.imported({"serialNumber": "4711", "token": "t"})

    with bench.throttles.expecting(CALLER.account, "4711"), bench.throttles.expecting(CALLER.account, "4711"):
        issued = bench.ask()["status"]
        with pytest.raises(TooMany):
            bench.ask("4710")

    assert issued == "ISSUED"
    with pytest.raises(TooMany):
        bench.ask()


def test_a_serial_number_is_not_looked_at_when_too_many_tokens_are_guessed_for_it(bench: Bench) -> None:
    bench.imported(*({"serialNumber": serial, "token": "1234"} for serial in ("4711", "4712")))
    for number in range(MOST_GUESSES + 10):  # some come back while they are guessed
        with pytest.raises(ServiceError):
            bench.ask(token=str(number))
        bench.store.clock.advance(2)

    with pytest.raises(TooMany):
        bench.ask(token="1234")
    assert bench.ask("4712", token="1234")["status"] == "ISSUED"
    bench.store.clock.advance(3600)
    assert bench.ask(token="1234")["status"] == "ISSUED"


def test_who_is_refused_again_and_again_does_not_fill_the_record(bench: Bench) -> None:
    bench.imported({"serialNumber": "4711", "token": "t"})
    for _ in range(20):
        with pytest.raises(NotAccepted):
            bench.ask(token="wrong")
    bench.store.clock.advance(600)
    with pytest.raises(NotAccepted):
        bench.ask(token="wrong")

    assert len(bench.registry.record()) == 2


@pytest.mark.spec("AL-41")
def test_who_is_not_heard_at_all_is_recorded_once_in_a_while(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.services.iot.vending.flows.MOST_PENDING", 1)
    for _ in range(27):
        bench.ask("a")
    for serial in "bcdef":  # the list is full, then the address asks too often
        with pytest.raises(TooMany):
            bench.ask(serial)
    with pytest.raises(TooMany):
        bench.ask("a", accountId="999999999999")

    said = [(one["device"], one["reason"]) for one in bench.registry.record()]
    assert [device for device, _ in said] == ["e", "b"]
    assert "its address asks too often" in said[0][1]
    assert "too many devices wait" in said[1][1]
    bench.store.clock.advance(600)
    with pytest.raises(TooMany):
        bench.ask("g")
    assert len(bench.registry.record()) == 3


@pytest.mark.parametrize("bound", ["MOST_PENDING", "MOST_OF_ADDRESS"])
def test_no_more_than_so_many_devices_wait(bench: Bench, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(f"hedgerow.services.iot.vending.flows.{bound}", 2)
    for serial in "ab":
        bench.ask(serial)

    with pytest.raises(TooMany):
        bench.ask("c")

    assert bench.ask("a") == WAITING


def test_the_addresses_of_one_network_count_as_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.services.iot.vending.flows.MOST_OF_ADDRESS", 2)
    hosts = [replace(NOBODY, source_ip=f"2001:db8::{number:x}") for number in range(1, 31)]
    for serial, host in zip("ab", hosts, strict=False):
        bench.ask(serial, caller=host)

    with pytest.raises(TooMany):
        bench.ask("c", caller=hosts[2])
    for host in hosts[3:]:
        bench.ask("a", caller=host)
    with pytest.raises(TooMany):
        bench.ask("a", caller=hosts[0])

    assert bench.ask("c", caller=replace(NOBODY, source_ip="2001:db8:0:1::1")) == WAITING


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a name", "a name"),
        (None, ""),
    ],
)
def test_the_network_of_an_address_is_known(address: str | None, network: str) -> None:
    assert neighbourhood(address) == network


def test_who_waits_is_forgotten_after_a_week_and_is_news_again(bench: Bench) -> None:
    bench.ask("a")
    bench.ask("b")
    bench.approve("b")
    bench.store.clock.advance(PENDING_S)
    for serial in "ab":
        with bench.store.tx() as tx:
            row = FollowUp(seq=1, account=CALLER.account, kind=OVER, key=serial, due_at=0.0, body={})
            bench.follow_ups.on_over(tx, row)

    assert bench.listed() == [("b", "APPROVED")]
    bench.ask("a")
    assert [news["serialNumber"] for news in bench.told()] == ["a", "b", "a"]


def test_tokens_are_not_in_the_database(bench: Bench) -> None:
    bench.ask(token="a token that is secret")
    bench.imported({"serialNumber": "9", "token": "another that is secret"})

    assert "is secret" not in "\n".join(contents(bench.registry, record=True))


def test_devices_are_listed_by_state_and_page_and_forgotten(bench: Bench) -> None:
    for serial in "abc":
        bench.ask(serial)
    bench.deny("b")

    first = bench.store.run(bench.operations.list_vending_requests, {"maxResults": 2}).response
    assert [each["serialNumber"] for each in first["devices"]] == ["a", "b"]
    assert bench.listed(maxResults=2, nextToken=first["nextToken"]) == [("c", "PENDING")]
    assert bench.listed(state="DENIED") == [("b", "DENIED")]
    bench.store.run(bench.operations.delete_vending_request, {"serialNumber": "b"})
    assert bench.ask("b", token="new") == WAITING


def test_two_accounts_do_not_meet(bench: Bench) -> None:
    bench.ask(accountId=OTHER_ACCOUNT.account)

    assert bench.listed() == []
    assert bench.listed(OTHER_ACCOUNT) == [("4711", "PENDING")]
    with pytest.raises(DeviceUnknown):
        bench.approve()
    with pytest.raises(Unfit, match="no provisioning template"):
        bench.approve(caller=OTHER_ACCOUNT)
    with pytest.raises(NotAccepted):
        bench.ask(accountId="999999999999")


@pytest.mark.parametrize(
    ("name", "why"),
    [("none", "no provisioning template"), ("jitp", "of type JITP"), ("hooked", "hook"), ("off", "not enabled")],
)
def test_an_approval_needs_a_template_that_is_of_use_here(bench: Bench, name: str, why: str) -> None:
    bench.template("jitp", JUST_IN_TIME)
    bench.template("hooked", hook=True)
    bench.template("off", enabled=False)
    bench.ask()

    with pytest.raises(Unfit, match=why):
        bench.approve(templateName=name)
    with pytest.raises(Unfit, match=why):
        bench.imported({"serialNumber": "1", "token": "t"}, templateName=name)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({}, "cannot let 4711 in: .*Room"),
        ({"Room": "hall", "Flor": "1"}, "has no parameter Flor"),
        ({"Room": "hall", "ThingName": "a b"}, "thing of 4711 'a b', which is no name"),
        ({"Room": "hall", "ThingName": "x" * 129}, "which is no name"),
        ({"Room": "a/*"}, "cannot let 4711 in: the value of Room"),
    ],
)
def test_an_approval_fills_the_template_or_is_refused(bench: Bench, parameters: dict[str, str], why: str) -> None:
    policy = {"PolicyDocument": {"Fn::Sub": '{"Version": "2012-10-17", "Statement": [], "Id": "${Room}"}'}}
    declared = {
        "Room": {"Type": "String"},
        "Floor": {"Type": "String", "Default": "0"},
        "SerialNumber": {"Type": "String"},
    }
    thing = {"ThingName": {"Ref": "ThingName"}}
    resources = {"policy": {"Type": "AWS::IoT::Policy", "Properties": policy}}
    bench.template("rooms", body=template(thing, resources=resources, Parameters=declared))
    bench.ask()
    given: dict[str, Any] = {"parameters": parameters} if parameters else {}

    with pytest.raises(Unfit, match=why):
        bench.approve(templateName="rooms", **given)
    with pytest.raises(Unfit, match=why):
        bench.imported({"serialNumber": "4711", "token": "t", **given}, templateName="rooms")
    assert bench.listed() == [("4711", "PENDING")]

    bench.approve(templateName="rooms", parameters={"Room": "hall", "Floor": "1", "ThingName": "lamp"})
    assert bench.listed() == [("4711", "APPROVED")]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda bench: bench.deny("none"), DeviceUnknown),
        (lambda bench: bench.imported(), Unfit),
        (lambda bench: bench.imported(*({"serialNumber": "1", "token": token} for token in "tu")), Unfit),
        (lambda bench: bench.imported({"serialNumber": "1", "token": "t"}, expiresAt=1.0), Unfit),
        (lambda bench: bench.imported(*[{"serialNumber": "1", "token": "t"}] * (MOST_IMPORTED + 1)), Unfit),
        (lambda bench: bench.listed(nextToken="nonsense"), Unfit),
    ],
)
def test_what_means_nothing_is_refused(bench: Bench, call: Any, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        call(bench)


def test_who_has_its_certificate_is_not_denied_by_the_machine(bench: Bench) -> None:
    bench.imported({"serialNumber": "4711", "token": "t"})
    bench.ask()

    with pytest.raises(AlreadyIssued, match="deactivate"):
        bench.deny()


def test_the_throttle_forgets_who_was_not_seen_for_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.services.iot.vending.model._REMEMBERED", 2)
    throttle = Throttle(FakeClock(), most=30, within_s=60)
    for _ in range(30):
        throttle.admits("a")

    assert not throttle.admits("a")
    assert throttle.admits("b")
    assert throttle.admits("c")
    assert throttle.admits("a")


def at_once(bench: Bench, *requests: str) -> list[Any]:
    async def asking() -> list[Any]:
        given = {"serialNumber": "4711", "token": "t"}
        asked = (Request({**given, "certificateSigningRequest": csr}) for csr in requests)
        found = (bench.flows.request_certificate(each, NOBODY) for each in asked)
        return list(await asyncio.gather(*found, return_exceptions=True))

    return asyncio.run(asking())


def test_a_device_that_asks_twice_at_once_gets_one_certificate_and_both_answers(bench: Bench) -> None:
    bench.imported({"serialNumber": "4711", "token": "t", "parameters": {"ThingName": "lamp"}})

    first, second = at_once(bench, CSR, CSR)

    assert first["status"] == "ISSUED"
    assert first == second
    assert len([one for one in bench.registry.record() if one["outcome"] == "ACCEPTED"]) == 1


def test_of_two_keys_that_ask_at_once_one_gets_the_certificate(bench: Bench) -> None:
    bench.imported({"serialNumber": "4711", "token": "t", "parameters": {"ThingName": "lamp"}})

    answers = at_once(bench, CSR, OTHER_CSR)

    assert sorted(type(one).__name__ for one in answers) == ["NotAccepted", "dict"]
