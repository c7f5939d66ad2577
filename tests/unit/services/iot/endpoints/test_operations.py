import pytest

from hedgerow.core.paging import Pager
from hedgerow.services.iot.endpoints import EndpointOperations, Endpoints
from hedgerow.services.iot.endpoints.errors import NoSuchDomain, UnknownEndpointType
from hedgerow.services.iot.pages import Pages
from tests.support.registry import Registry

HOSTS = EndpointOperations(
    endpoints=Endpoints(data="data.test", credentials="credentials.test", jobs="jobs.test"), pages=Pages(Pager(b"key"))
)


@pytest.mark.spec("BS-40")
@pytest.mark.parametrize(
    ("kind", "host"),
    [
        ("iot:Data-ATS", "data.test"),
        ("iot:Data", "data.test"),
        ("iot:CredentialProvider", "credentials.test"),
        ("iot:Jobs", "jobs.test"),
    ],
)
def test_each_type_of_endpoint_is_a_bare_host(registry: Registry, kind: str, host: str) -> None:
    answer = registry.store.run(HOSTS.describe_endpoint, {"endpointType": kind})

    assert answer.response == {"endpointAddress": host}


def test_without_a_type_it_is_the_data_endpoint(registry: Registry) -> None:
    assert registry.store.run(HOSTS.describe_endpoint).response == {"endpointAddress": "data.test"}


def test_a_type_that_we_do_not_serve_is_refused_by_name(registry: Registry) -> None:
    with pytest.raises(UnknownEndpointType, match="iot:DeviceAdvisor"):
        registry.store.run(HOSTS.describe_endpoint, {"endpointType": "iot:DeviceAdvisor"})


def test_every_account_has_the_domain_configurations_that_are_served(registry: Registry) -> None:
    first = registry.store.run(HOSTS.list_domain_configurations, {"pageSize": 2}).response
    rest = registry.store.run(HOSTS.list_domain_configurations, {"pageSize": 2, "marker": first["nextMarker"]}).response
    jobs = registry.store.run(HOSTS.list_domain_configurations, {"serviceType": "JOBS"}).response

    names = [one["domainConfigurationName"] for one in (*first["domainConfigurations"], *rest["domainConfigurations"])]
    assert names == ["iot:CredentialProvider", "iot:Data-ATS", "iot:Jobs"]
    assert "nextMarker" not in rest
    assert [one["domainConfigurationName"] for one in jobs["domainConfigurations"]] == ["iot:Jobs"]


def test_a_domain_configuration_says_its_host(registry: Registry) -> None:
    shown = registry.store.run(
        HOSTS.describe_domain_configuration, {"domainConfigurationName": "iot:CredentialProvider"}
    ).response

    assert (shown["domainName"], shown["domainConfigurationStatus"], shown["domainType"]) == (
        "credentials.test",
        "ENABLED",
        "ENDPOINT",
    )
    with pytest.raises(NoSuchDomain):
        registry.store.run(HOSTS.describe_domain_configuration, {"domainConfigurationName": "mine"})
