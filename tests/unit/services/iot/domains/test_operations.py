from typing import Any

import pytest

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.caller import Caller
from hedgerow.core.events import DomainChanged
from hedgerow.core.tls import Application, Proof
from hedgerow.services.iot.domains import DomainOperations, DomainStore
from hedgerow.services.iot.domains.errors import (
    BadDomain,
    DisabledTooShort,
    DomainExists,
    DomainNameTaken,
    NoSuchDomain,
    StillEnabled,
    TooManyDomains,
)
from hedgerow.services.iot.endpoints import Endpoints
from hedgerow.store import Answer, Tx
from tests.support.registry import Registry
from tests.support.store import CALLER, OTHER_ACCOUNT

ARN = "arn:aws:iot:eu-central-1:123456789012:domainconfiguration/"
HOST = "iot.acme.example"
DAY_S = 86_400


class FakeAuthorizers:
    def get(self, tx: Tx, account: str, name: str) -> object | None:
        return name if name == "door" else None


class Domains:
    def __init__(self, registry: Registry, endpoint: str = "cloud.example") -> None:
        self.store = registry.store
        self.operations = DomainOperations(
            domains=DomainStore(),
            authorizers=FakeAuthorizers(),
            hosts=Endpoints(data=endpoint, credentials="credentials.example", jobs=endpoint),
            own_names=("cloud.example", "*.cloud.example", "10.0.0.1"),
            ids=registry.ids,
            pages=registry.pages,
        )

    def create(self, name: str = "mine", *, caller: Caller = CALLER, **more: Any) -> Answer:
        request = {"domainConfigurationName": name, "domainName": HOST, **more}
        wanted = {key: value for key, value in request.items() if value is not None}
        return self.store.run(self.operations.create_domain_configuration, wanted, caller)

    def update(self, name: str = "mine", **more: Any) -> Answer:
        return self.store.run(self.operations.update_domain_configuration, {"domainConfigurationName": name, **more})

    def delete(self, name: str = "mine", caller: Caller = CALLER) -> Answer:
        return self.store.run(self.operations.delete_domain_configuration, {"domainConfigurationName": name}, caller)

    def shown(self, name: str = "mine", caller: Caller = CALLER) -> Any:
        return self.store.run(
            self.operations.describe_domain_configuration, {"domainConfigurationName": name}, caller
        ).response

    def names(self, caller: Caller = CALLER, **more: Any) -> list[str]:
        found = self.store.run(self.operations.list_domain_configurations, more, caller).response
        return [one["domainConfigurationName"] for one in found["domainConfigurations"]]


@pytest.fixture
def domains(registry: Registry) -> Domains:
    return Domains(registry)


def test_a_name_of_the_customers_is_served_at_once(domains: Domains) -> None:
    made = domains.create(domainName="IoT.Acme.example.")

    assert made.response == {"domainConfigurationName": "mine", "domainConfigurationArn": ARN + "mine"}
    (event,) = made.events
    assert isinstance(event, DomainChanged)
    assert (event.name, event.domain and event.domain.enabled) == (HOST, True)
    assert domains.shown() == {
        "domainConfigurationName": "mine",
        "domainConfigurationArn": ARN + "mine",
        "serviceType": "DATA",
        "domainName": HOST,
        "serverCertificates": [],
        "domainConfigurationStatus": "ENABLED",
        "domainType": "CUSTOMER_MANAGED",
        "lastStatusChangeDate": domains.store.clock.now(),
        "tlsConfig": {"securityPolicy": "IoTSecurityPolicy_TLS13_1_2_2022_10"},
        "authenticationType": "DEFAULT",
        "applicationProtocol": "DEFAULT",
    }


def test_without_a_name_the_cloud_makes_one_under_its_own(domains: Domains) -> None:
    domains.create(domainName=None)

    shown = domains.shown()
    assert shown["domainType"] == "AWS_MANAGED"
    assert shown["domainName"].startswith("d")
    assert shown["domainName"].endswith("-ats.cloud.example")
    assert len(shown["domainName"]) == len("d12345678901234567890-ats.cloud.example")


def test_an_address_has_no_names_below_it(registry: Registry) -> None:
    with pytest.raises(BadDomain, match="give a domainName"):
        Domains(registry, endpoint="192.0.2.7").create(domainName=None)


@pytest.mark.parametrize(
    "name",
    ["cloud.example", "CLOUD.example", "123456789012.acme.example", "10.0.0.1", "localhost", "a..b", "-a.b", "*.a.b"],
)
def test_a_name_that_cannot_be_theirs_is_refused(domains: Domains, name: str) -> None:
    with pytest.raises(BadDomain):
        domains.create(domainName=name)


def test_a_host_name_is_one_accounts_alone(domains: Domains) -> None:
    domains.create(caller=OTHER_ACCOUNT)

    with pytest.raises(DomainNameTaken) as taken:
        domains.create()

    assert OTHER_ACCOUNT.account not in taken.value.message
    assert domains.names(OTHER_ACCOUNT)[-1] == "mine"
    assert "mine" not in domains.names()
    with pytest.raises(NoSuchDomain):
        domains.shown()


def test_a_configurations_name_is_taken_once(domains: Domains) -> None:
    domains.create()

    with pytest.raises(DomainExists):
        domains.create(domainName="other.acme.example")


def test_there_are_at_most_ten(domains: Domains) -> None:
    for number in range(10):
        domains.create(f"d{number}", domainName=f"d{number}.acme.example")

    with pytest.raises(TooManyDomains):
        domains.create()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"serviceType": "JOBS"}, "serviceType"),
        ({"name": "iot:Mine"}, "iot:"),
        ({"tlsConfig": {"securityPolicy": "IoTSecurityPolicy_TLS10"}}, "securityPolicy"),
        ({"authenticationType": "AWS_X509"}, "do not go together"),
        ({"applicationProtocol": "HTTPS"}, "do not go together"),
        ({"authenticationType": "AWS_X509", "applicationProtocol": "MQTT_WSS"}, "do not go together"),
        ({"authenticationType": "AWS_SIGV4", "applicationProtocol": "SECURE_MQTT"}, "do not go together"),
        ({"authorizerConfig": {"defaultAuthorizerName": "door"}}, "allowAuthorizerOverride is required"),
        ({"authorizerConfig": {"allowAuthorizerOverride": False}}, "without a defaultAuthorizerName"),
        ({"authorizerConfig": {"defaultAuthorizerName": "x", "allowAuthorizerOverride": True}}, "no authorizer x"),
    ],
)
def test_what_does_not_go_is_refused(domains: Domains, more: dict[str, Any], said: str) -> None:
    with pytest.raises(BadDomain, match=said):
        domains.create(**more)


@pytest.mark.parametrize(
    "more",
    [
        {"serverCertificateArns": ["arn:aws:acm:eu-central-1:123456789012:certificate/1"]},
    ],
)
def test_what_is_not_there_is_refused_by_name(domains: Domains, more: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedYet):
        domains.create(**more)


def test_everything_that_is_said_is_told_to_the_listeners(domains: Domains) -> None:
    door = {"defaultAuthorizerName": "door", "allowAuthorizerOverride": False}
    policy = {"securityPolicy": "IoTSecurityPolicy_TLS13_1_3_2022_10"}
    kinds: dict[str, Any] = {"authenticationType": "CUSTOM_AUTH", "applicationProtocol": "SECURE_MQTT"}

    (event,) = domains.create(authorizerConfig=door, tlsConfig=policy, **kinds).events

    assert isinstance(event, DomainChanged)
    domain = event.domain
    assert domain is not None
    assert (domain.proof, domain.application) == (Proof.CUSTOM, Application.SECURE_MQTT)
    assert (domain.authorizer, domain.override) == ("door", False)
    assert domain.policy == policy["securityPolicy"]
    assert {**kinds, "authorizerConfig": door, "tlsConfig": policy}.items() <= domains.shown().items()


def test_an_update_changes_what_it_names_and_nothing_else(domains: Domains) -> None:
    domains.create(authorizerConfig={"defaultAuthorizerName": "door", "allowAuthorizerOverride": True})
    before = domains.shown()
    domains.store.clock.advance(5)

    domains.update(tlsConfig={"securityPolicy": "IoTSecurityPolicy_TLS12_1_2_2022_10"})
    domains.update(authenticationType="AWS_X509", applicationProtocol="SECURE_MQTT")
    domains.update(removeAuthorizerConfig=True)

    changed = {
        "tlsConfig": {"securityPolicy": "IoTSecurityPolicy_TLS12_1_2_2022_10"},
        "authenticationType": "AWS_X509",
        "applicationProtocol": "SECURE_MQTT",
    }
    expected = before | changed
    del expected["authorizerConfig"]
    assert domains.shown() == expected


def test_default_endpoints_stay_as_they_are(domains: Domains) -> None:
    with pytest.raises(BadDomain, match="default endpoint"):
        domains.update("iot:Data-ATS", tlsConfig={"securityPolicy": "IoTSecurityPolicy_TLS13_1_3_2022_10"})


def test_it_is_disabled_before_it_is_deleted(domains: Domains) -> None:
    domains.create()
    with pytest.raises(StillEnabled):
        domains.delete()
    domains.store.clock.advance(1)

    (disabled,) = domains.update(domainConfigurationStatus="DISABLED").events
    shown = domains.shown()
    (deleted,) = domains.delete().events

    assert isinstance(disabled, DomainChanged)
    assert isinstance(deleted, DomainChanged)
    assert disabled.domain is not None
    assert (disabled.domain.enabled, deleted.domain, deleted.name) == (False, None, HOST)
    assert shown["domainConfigurationStatus"] == "DISABLED"
    assert shown["lastStatusChangeDate"] == domains.store.clock.now()
    assert domains.names() == ["iot:CredentialProvider", "iot:Data-ATS", "iot:Jobs"]


def test_a_name_of_the_clouds_stays_disabled_for_a_week(domains: Domains) -> None:
    domains.create(domainName=None)
    domains.update(domainConfigurationStatus="DISABLED")
    domains.store.clock.advance(7 * DAY_S - 1)
    with pytest.raises(DisabledTooShort):
        domains.delete()

    domains.store.clock.advance(1)
    domains.delete()

    assert "mine" not in domains.names()


def test_the_list_has_pages_and_the_default_endpoints(domains: Domains) -> None:
    domains.create()
    listing = domains.operations.list_domain_configurations

    first = domains.store.run(listing, {"pageSize": 3}).response
    rest = domains.store.run(listing, {"pageSize": 3, "marker": first["nextMarker"]}).response

    names = [one["domainConfigurationName"] for page in (first, rest) for one in page["domainConfigurations"]]
    assert names == ["iot:CredentialProvider", "iot:Data-ATS", "iot:Jobs", "mine"]
    assert "nextMarker" not in rest
    assert domains.names(serviceType="JOBS") == ["iot:Jobs"]
    assert domains.names(serviceType="DATA") == ["iot:Data-ATS", "mine"]


def test_a_default_endpoint_says_its_host(domains: Domains) -> None:
    shown = domains.shown("iot:CredentialProvider")

    assert (shown["domainName"], shown["domainConfigurationStatus"], shown["domainType"]) == (
        "credentials.example",
        "ENABLED",
        "ENDPOINT",
    )


def test_who_asks_an_authorizer_is_known_within_the_account(domains: Domains) -> None:
    config = {"defaultAuthorizerName": "door", "allowAuthorizerOverride": True}
    domains.create("mine", authorizerConfig=config)
    domains.create("plain", domainName="plain.acme.example")
    domains.create("theirs", caller=OTHER_ACCOUNT, domainName="theirs.acme.example", authorizerConfig=config)

    with domains.store.tx() as tx:
        asking = DomainStore().asking(tx, CALLER.account, "door")
        other = DomainStore().asking(tx, CALLER.account, "window")

    assert (asking, other) == (["mine"], [])


# --- custom validation of client certificates

LOOK = "arn:aws:lambda:eu-central-1:123456789012:function:look"
X509: dict[str, Any] = {"authenticationType": "AWS_X509", "applicationProtocol": "SECURE_MQTT"}


def by(function: str) -> dict[str, Any]:
    return {"clientCertificateConfig": {"clientCertificateCallbackArn": function}}


def told_by(answer: Answer) -> DomainChanged:
    (event,) = answer.events
    assert isinstance(event, DomainChanged)
    return event


def test_a_function_may_look_at_certificates_and_be_taken_away_again(domains: Domains) -> None:
    event = told_by(domains.create(**X509, **by(LOOK)))
    shown = domains.shown()

    unchanged = told_by(domains.update(domainConfigurationStatus="ENABLED"))
    changed = told_by(domains.update(**by(LOOK + ":2")))
    gone = told_by(domains.update(**by("")))

    assert shown["clientCertificateConfig"] == by(LOOK)["clientCertificateConfig"]
    told = [each.domain and each.domain.callback for each in (event, unchanged, changed, gone)]
    assert told == [LOOK, LOOK, LOOK + ":2", None]
    assert "clientCertificateConfig" not in domains.shown()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (by(LOOK), "needs the authenticationType"),
        ({"authenticationType": "CUSTOM_AUTH", "applicationProtocol": "HTTPS", **by(LOOK)}, "needs the authentication"),
        ({**X509, **by("look")}, "not the ARN of a function"),
        ({**X509, **by("arn:aws:iam::123456789012:role/look")}, "not the ARN of a function"),
        ({**X509, **by(LOOK.replace("123456789012", OTHER_ACCOUNT.account))}, "another account"),
    ],
)
def test_a_function_that_cannot_look_at_certificates_is_refused(
    domains: Domains, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadDomain, match=said):
        domains.create(**more)


def test_a_type_without_certificates_takes_no_function_along(domains: Domains) -> None:
    domains.create(**X509, **by(LOOK))

    with pytest.raises(BadDomain, match="needs the authenticationType"):
        domains.update(authenticationType="AWS_SIGV4", applicationProtocol="HTTPS")
    domains.update(authenticationType="AWS_SIGV4", applicationProtocol="HTTPS", **by(""))

    assert domains.shown()["authenticationType"] == "AWS_SIGV4"
