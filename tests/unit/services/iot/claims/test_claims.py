import asyncio
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import ServiceError
from hedgerow.cloud.device_authority import DeviceAuthority
from hedgerow.core import pki
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged, PrincipalCut
from hedgerow.core.policy import Dialect, compile_policies
from hedgerow.core.request import Request
from hedgerow.services.iot.claims import OVER, ClaimFlows, ClaimFollowUps, ClaimRefused
from hedgerow.services.iot.claims.errors import (
    ClaimNotFound,
    InvalidClaim,
    IsADevice,
    NoCertificate,
    TemplateNotFound,
    TemplateUnusable,
)
from hedgerow.services.iot.claims.model import TEMPORARY_S, Claim, Kind, is_implied
from hedgerow.services.iot.provisioning_templates.model import FLEET, JUST_IN_TIME, ProvisioningTemplate
from hedgerow.store import FollowUp
from tests.support.registry import Registry, arn_of, contents
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun

OWN = f"arn:aws:iot:{CALLER.region}:{CALLER.account}:"
TOPICS = ["$aws/certificates/create/*", "$aws/provisioning-templates/fleet/provision/*"]
DOCUMENTED: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["iot:Connect"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["iot:Publish", "iot:Receive"],
            "Resource": [OWN + f"topic/{topic}" for topic in TOPICS],
        },
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": [OWN + f"topicfilter/{topic}" for topic in TOPICS]},
    ],
}
"""What AWS's guide gives a claim."""


def more(*statements: dict[str, Any]) -> str:
    return json.dumps({**DOCUMENTED, "Statement": [*DOCUMENTED["Statement"], *statements]})


@dataclass
class Bench:
    registry: Registry

    def put(self, certificate_id: str, caller: Caller = CALLER, **limits: Any) -> dict[str, Any]:
        request = {"certificateId": certificate_id, **limits}
        return dict(self.registry.store.run(self.registry.claims.put_claim, request, caller).response["claim"])

    def get(self, certificate_id: str, caller: Caller = CALLER) -> Mapping[str, Any]:
        request = {"certificateId": certificate_id}
        found: Mapping[str, Any] = self.registry.store.run(self.registry.claims.get_claim, request, caller).response
        return dict(found["claim"])

    def listed(self, caller: Caller = CALLER, **page: Any) -> list[str]:
        answer = self.registry.store.run(self.registry.claims.list_claims, page, caller).response
        ids = [claim["certificateId"] for claim in answer["claims"]]
        return ids + (
            self.listed(caller, **{**page, "nextToken": answer["nextToken"]}) if "nextToken" in answer else []
        )

    def check(
        self, certificate_id: str, template: str | None = None, *, again: bool = False, ip: str = "192.0.2.1"
    ) -> None:
        caller = replace(CALLER, certificate_id=certificate_id, source_ip=ip)
        with self.registry.store.tx() as tx:
            self.registry.claim_reader.check(tx, caller, template, again=again)

    def count(self, certificate_id: str) -> None:
        with self.registry.store.tx() as tx:
            self.registry.claim_reader.check(tx, replace(CALLER, certificate_id=certificate_id), None, again=False)()

    def implied(self, serial: int, document: str = json.dumps(DOCUMENTED)) -> str:
        certificate = self.registry.certificate(serial)
        name = f"policy-{serial}"
        self.registry.policy(name, document)
        request = {"policyName": name, "target": arn_of(certificate)}
        self.registry.store.run(self.registry.attachments.attach_policy, request)
        return certificate.id


@pytest.fixture
def bench(registry: Registry) -> Bench:
    return Bench(registry)


def test_a_claim_is_put_described_listed_and_taken_back(bench: Bench) -> None:
    template(bench)
    certificate = bench.registry.certificate()
    now = bench.registry.store.clock.now()
    limits: dict[str, Any] = {
        "templates": ["fleet"],
        "devices": 2,
        "notBefore": now - 1,
        "notAfter": now + 60,
        "networks": ["192.0.2.0/24"],
    }

    put = bench.put(certificate.id, **limits)

    wanted = {
        "certificateId": certificate.id,
        "certificateArn": arn_of(certificate),
        "kind": "REGISTERED",
        "unlimited": False,
        "devicesUsed": 0,
        "createdBy": CALLER.principal,
        "createdAt": now,
        **limits,
    }
    assert put == bench.get(certificate.id) == wanted
    assert bench.listed() == [certificate.id]
    request = {"certificateId": certificate.id}
    done = bench.registry.store.run(bench.registry.claims.delete_claim, request)
    assert done.events == (AuthorisationChanged(account=CALLER.account, principals=frozenset({certificate.id})),)
    with pytest.raises(ClaimNotFound):
        bench.get(certificate.id)


def test_a_claim_without_limits_says_so(bench: Bench) -> None:
    assert bench.put(bench.registry.certificate().id)["unlimited"] is True


def test_a_claim_names_templates_by_which_devices_can_come_in(bench: Bench) -> None:
    certificate = bench.registry.certificate()

    with pytest.raises(InvalidClaim, match="no provisioning template named fleet"):
        bench.put(certificate.id, templates=["fleet"])
    template(bench, JUST_IN_TIME)
    with pytest.raises(InvalidClaim, match="of type JITP"):
        bench.put(certificate.id, templates=["fleet"])
    assert bench.listed() == []


def test_a_template_of_another_account_is_none_for_a_claim(bench: Bench) -> None:
    template(bench)
    certificate = bench.registry.certificate(caller=OTHER_ACCOUNT)

    with pytest.raises(InvalidClaim, match="no provisioning template"):
        bench.put(certificate.id, OTHER_ACCOUNT, templates=["fleet"])


def test_who_may_use_a_claim_is_what_it_says(bench: Bench) -> None:
    template(bench)
    certificate = bench.registry.certificate()
    clock = bench.registry.store.clock
    limits: dict[str, Any] = {
        "templates": ["fleet"],
        "notBefore": clock.now() + 10,
        "notAfter": clock.now() + 20,
        "networks": ["192.0.2.0/24", "2001:db8::/32"],
    }
    bench.put(certificate.id, **limits)

    with pytest.raises(ClaimRefused, match="begins 2027"):
        bench.check(certificate.id)
    clock.advance(15)
    bench.check(certificate.id, "fleet")
    bench.check(certificate.id, "fleet", ip="2001:db8::1")
    bench.check(certificate.id, "fleet", ip="::ffff:192.0.2.9")
    with pytest.raises(ClaimRefused, match="not for the template other"):
        bench.check(certificate.id, "other")
    for address in ("198.51.100.1", "", "nonsense"):
        with pytest.raises(ClaimRefused, match="may not be used from"):
            bench.check(certificate.id, "fleet", ip=address)
    clock.advance(10)
    with pytest.raises(ClaimRefused, match="ended"):
        bench.check(certificate.id, "fleet")


def test_a_claim_provisions_as_many_devices_as_it_may_and_each_of_them_again(bench: Bench) -> None:
    certificate = bench.registry.certificate()
    bench.put(certificate.id, devices=1)
    bench.check(certificate.id)

    bench.count(certificate.id)

    with pytest.raises(ClaimRefused, match="has provisioned 1 devices"):
        bench.check(certificate.id)
    with pytest.raises(ClaimRefused):
        bench.count(certificate.id)
    bench.check(certificate.id, "fleet", again=True)
    assert bench.put(certificate.id, devices=2)["devicesUsed"] == 1
    bench.check(certificate.id)


BAD_LIMITS: list[tuple[dict[str, Any], str]] = [
    ({"templates": []}, "1 to 20 templates"),
    ({"templates": [f"t{number}" for number in range(21)]}, "1 to 20 templates"),
    ({"networks": ["192.0.2.1/24"]}, "is no network"),
    ({"networks": ["localhost"]}, "is no network"),
    ({"networks": ["192.0.2.0/24"] * 51}, "50 entries"),
    ({"notBefore": 20.0, "notAfter": 10.0}, "earlier than"),
    (
        {
            "notBefore": datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC),
            "notAfter": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        },
        "earlier than",
    ),
]


@pytest.mark.parametrize(("limits", "why"), BAD_LIMITS)
def test_limits_that_mean_nothing_are_refused(bench: Bench, limits: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidClaim, match=why):
        bench.put(bench.registry.certificate().id, **limits)


def test_a_device_and_a_stranger_are_no_claims(bench: Bench) -> None:
    certificate = bench.registry.certificate()
    bench.registry.thing("lamp")
    bench.registry.attach("lamp", certificate)

    with pytest.raises(IsADevice, match="attached to thing lamp"):
        bench.put(certificate.id)
    with pytest.raises(NoCertificate):
        bench.put(certificate.id, OTHER_ACCOUNT)


def test_two_accounts_do_not_see_each_others_claims(bench: Bench) -> None:
    certificate = bench.registry.certificate()
    bench.put(certificate.id)
    implied = bench.implied(2)

    assert bench.listed() == sorted([certificate.id, implied])
    assert bench.listed(OTHER_ACCOUNT) == []
    for certificate_id in (certificate.id, implied):
        with pytest.raises(ClaimNotFound):
            bench.get(certificate_id, OTHER_ACCOUNT)
    with pytest.raises(InvalidClaim, match="nextToken"):
        bench.listed(nextToken="nonsense")


# --- certificates that are claims by their policies


@pytest.mark.parametrize(
    ("documents", "claim"),
    [
        ([json.dumps(DOCUMENTED)], True),
        ([more({"Effect": "Deny", "Action": "*", "Resource": "*"})], True),
        (
            [
                json.dumps(DOCUMENTED),
                json.dumps({"Statement": {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}}),
            ],
            True,
        ),
        ([], False),
        ([json.dumps({"Statement": {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}})], False),
        ([more({"Effect": "Allow", "Action": "iot:Publish", "Resource": OWN + "topic/a"})], False),
        ([more({"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"})], False),
        (
            [more({"Effect": "Allow", "Action": "iot:*", "Resource": OWN + "topic/$aws/certificates/create/json"})],
            False,
        ),
        ([more({"Effect": "Allow", "NotAction": "iot:Publish", "Resource": "*"})], False),
        ([more({"Effect": "Allow", "Action": "iot:AssumeRoleWithCertificate", "Resource": "*"})], False),
        (
            [
                json.dumps(DOCUMENTED),
                json.dumps({"Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}),
            ],
            False,
        ),
    ],
)
def test_policies_of_nothing_but_the_provisioning_topics_make_a_claim(documents: list[str], *, claim: bool) -> None:
    assert is_implied(documents) is claim


def test_an_implied_claim_is_listed_without_limits_and_cannot_be_deleted(bench: Bench) -> None:
    bench.implied(1, more({"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"}))
    wanted = sorted(bench.implied(number) for number in range(2, 8))

    assert bench.listed(maxResults=2) == wanted
    shown = bench.get(wanted[0])
    assert (shown["kind"], shown["unlimited"]) == ("IMPLIED", True)
    with pytest.raises(InvalidClaim, match="detach them"):
        bench.registry.store.run(bench.registry.claims.delete_claim, {"certificateId": wanted[0]})
    bench.put(wanted[0], devices=1)
    assert bench.get(wanted[0])["kind"] == "REGISTERED"


def test_a_certificate_that_speaks_for_a_thing_is_no_implied_claim(bench: Bench) -> None:
    certificate_id = bench.implied(1)
    bench.registry.thing("lamp")
    request = {"thingName": "lamp", "principal": OWN + f"cert/{certificate_id}"}
    bench.registry.store.run(bench.registry.principals.attach_thing_principal, request)

    assert bench.listed() == []


RESOURCES = st.sampled_from(
    [
        "topic/a",
        "topic/$aws/things/a/shadow/update",
        "client/a",
        "topicfilter/#",
        "topic/$aws/certificates/create/json",
        "topic/$aws/provisioning-templates/other/provision/json",
        "rolealias/a",
        "topicfilter/$aws/certificates/create/+",
    ]
)
ACTIONS = st.sampled_from(["iot:Publish", "iot:Subscribe", "iot:Receive", "iot:AssumeRoleWithCertificate"])


@given(action=ACTIONS, resource=RESOURCES)
def test_the_rights_of_a_claim_never_go_beyond_the_provisioning_topics(action: str, resource: str) -> None:
    claim = Claim(certificate_id="c" * 64, kind=Kind.REGISTERED, templates=("fleet",))
    grants = compile_policies([claim.policy(CALLER.region, CALLER.account)], dialect=Dialect.IOT, variables={})

    allowed = grants.decide(action, OWN + resource).allowed

    of_creation = "$aws/certificates/create" in resource
    fits = resource.startswith("topicfilter/") if action == "iot:Subscribe" else resource.startswith("topic/")
    assert allowed is (of_creation and fits and action != "iot:AssumeRoleWithCertificate")


# --- for trusted users


def template(bench: Bench, kind: str = FLEET, *, enabled: bool = True) -> None:
    made = ProvisioningTemplate(
        name="fleet",
        description=None,
        enabled=enabled,
        role_arn="arn:aws:iam::123456789012:role/fleet",
        hook=None,
        default_version=1,
        last_version=1,
        created_at=0.0,
        updated_at=0.0,
        type=kind,
    )
    with bench.registry.store.tx() as tx:
        bench.registry.template_store.add(tx, CALLER.account, made, "{}")


def create(bench: Bench, caller: Caller = CALLER) -> Mapping[str, Any]:
    authority = pki.new_device_authority(bench.registry.store.clock.now(), kind="p256")
    flows = ClaimFlows(
        run=MemoryRun(bench.registry.store),
        authority=DeviceAuthority(authority=authority, clock=bench.registry.store.clock, host_names=("cloud.test",)),
        templates=bench.registry.template_store,
        claims=bench.registry.claim_store,
    )
    return asyncio.run(flows.create_provisioning_claim(Request({"templateName": "fleet"}), caller))


@pytest.mark.spec("AL-46")
def test_a_trusted_user_gets_a_claim_for_minutes_that_is_in_no_registry(bench: Bench) -> None:
    template(bench)

    made = create(bench)

    now = bench.registry.store.clock.now()
    certificate = pki.read_certificate(made["certificatePem"])
    assert made["certificateId"] == pki.certificate_id(certificate)
    assert made["expiration"] == now + TEMPORARY_S == certificate.not_valid_after_utc.timestamp()
    assert made["keyPair"]["PrivateKey"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert "PRIVATE KEY" not in "\n".join(contents(bench.registry))
    assert bench.registry.store.run(bench.registry.certificates.list_certificates).response == {"certificates": []}
    shown = bench.get(made["certificateId"])
    assert (shown["kind"], shown["templates"], shown["notAfter"]) == ("TEMPORARY", ["fleet"], made["expiration"])


def test_a_temporary_claim_that_ends_is_forgotten_and_cut(bench: Bench) -> None:
    template(bench)
    made = create(bench)["certificateId"]
    row = FollowUp(seq=1, account=CALLER.account, kind=OVER, key=made, due_at=0.0, body={})

    with bench.registry.store.tx() as tx:
        done = ClaimFollowUps(claims=bench.registry.claim_store).on_over(tx, row)

    assert done.events == (PrincipalCut(account=CALLER.account, principal=made, reason="the claim has ended"),)
    assert bench.listed() == []


def test_a_temporary_claim_can_be_ended_early(bench: Bench) -> None:
    template(bench)
    made = create(bench)["certificateId"]

    done = bench.registry.store.run(bench.registry.claims.delete_claim, {"certificateId": made})

    assert PrincipalCut(account=CALLER.account, principal=made, reason="the claim was deleted") in done.events
    assert bench.listed() == []


@pytest.mark.parametrize(
    ("kind", "enabled", "error"),
    [(None, True, TemplateNotFound), (JUST_IN_TIME, True, TemplateUnusable), (FLEET, False, TemplateUnusable)],
)
def test_no_claim_is_made_for_a_template_that_provisions_nobody(
    bench: Bench, kind: str | None, error: type[ServiceError], *, enabled: bool
) -> None:
    if kind is not None:
        template(bench, kind, enabled=enabled)

    with pytest.raises(error):
        create(bench)

    assert bench.listed() == []


def test_a_template_of_another_account_is_not_found(bench: Bench) -> None:
    template(bench)

    with pytest.raises(TemplateNotFound):
        create(bench, OTHER_ACCOUNT)
