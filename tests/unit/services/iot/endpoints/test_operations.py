import pytest

from hedgerow.services.iot.endpoints import EndpointOperations, Endpoints
from hedgerow.services.iot.endpoints.errors import UnknownEndpointType
from tests.support.registry import Registry

HOSTS = EndpointOperations(endpoints=Endpoints(data="data.test", credentials="credentials.test", jobs="jobs.test"))


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
