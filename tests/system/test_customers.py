"""Two customers of one account, set up by the example: neither reaches the other's devices."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import Device, TestCloud
from tests.support.mqtt import connected
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[2] / "examples" / "customers" / "customers.py"


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("customers", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def device(cloud: TestCloud, new_key: Any, customers: Any, customer: str, folder: Path) -> Device:
    name, pem = customers.add_device(customer, "north", "0001", new_key(folder))
    (folder / "device.pem").write_text(pem)
    principals = cloud.client("iot").list_thing_principals(thingName=name)["principals"]
    ready = cloud.process.ready
    return Device(
        name=name,
        host=cloud.host,
        mqtt_port=ready["mqtt_port"],
        https_port=ready["https_port"],
        key_file=folder / "device.key",
        certificate_file=folder / "device.pem",
        ca_file=Path(ready["ca_file"]),
        certificate_arn=principals[0],
    )


@pytest.mark.slow
@pytest.mark.spec("AL-07")
def test_two_customers_see_and_touch_their_own_devices_only(
    hedgerow_cloud: TestCloud, example: Any, tmp_path: Path
) -> None:
    customers = example.Customers(hedgerow_cloud.session)
    keys = {customer: customers.add_customer(customer) for customer in ("acme", "globex")}
    for customer in keys:
        customers.add_plant(customer, "north")
        customers.add_plant(customer, "south")
    acme = device(hedgerow_cloud, example.new_key, customers, "acme", tmp_path / "acme")
    globex = device(hedgerow_cloud, example.new_key, customers, "globex", tmp_path / "globex")
    key = keys["acme"]
    user = hedgerow_cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"])
    iot, data = user.client("iot"), user.client("iot-data")

    assert customers.devices("acme") == customers.devices("acme", "north") == ["acme-north-0001"]
    assert customers.devices("acme", "south") == []
    assert iot.list_things_in_thing_group(thingGroupName="customer-acme", recursive=True)["things"] == [acme.name]
    assert iot.describe_thing(thingName=acme.name)["attributes"] == {"customer": "acme", "plant": "north"}
    data.update_thing_shadow(thingName=acme.name, payload=b'{"state": {"desired": {"on": true}}}')
    data.publish(topic=f"customers/acme/{acme.name}/commands", payload=b"go")
    beyond: list[Callable[[], Any]] = [
        lambda: iot.describe_thing(thingName=globex.name),
        lambda: data.get_thing_shadow(thingName=globex.name),
        lambda: data.publish(topic=f"customers/globex/{globex.name}/commands", payload=b"go"),
        lambda: iot.list_things_in_thing_group(thingGroupName="customer-globex"),
        lambda: iot.list_things(),
        lambda: iot.search_index(queryString="attributes.customer:globex"),
    ]
    for refused in beyond:
        with pytest.raises(ClientError, match="is not authorized to perform"):
            refused()
    with connected(globex) as theirs, connected(acme) as ours:
        assert theirs.subscribe(f"customers/acme/{acme.name}/telemetry") == [128]
        ours.publish(f"customers/acme/{acme.name}/telemetry", b"1")
        theirs.client.publish(f"customers/acme/{globex.name}/telemetry", b"lie", 1)
        until("the liar cut off", lambda: theirs.ended)


@pytest.mark.slow
@pytest.mark.spec("AL-07", "JB-69")
def test_a_device_is_added_once_and_one_that_failed_again(
    hedgerow_cloud: TestCloud, example: Any, tmp_path: Path
) -> None:
    customers, iot = example.Customers(hedgerow_cloud.session), hedgerow_cloud.client("iot")
    customers.add_customer("acme")
    request = example.new_key(tmp_path)
    with pytest.raises(ClientError, match="customer-acme-north"):
        customers.add_device("acme", "north", "0001", request)
    customers.add_plant("acme", "north")

    added = device(hedgerow_cloud, example.new_key, customers, "acme", tmp_path)
    with pytest.raises(ClientError, match="conflicts with AttributePayload"):
        customers.add_device("acme", "north", "0001", example.new_key(tmp_path / "other"))
    with pytest.raises(example.Wrong, match="holds a device already"):
        example.new_key(tmp_path)

    assert iot.list_thing_principals(thingName=added.name)["principals"] == [added.certificate_arn]


def test_names_that_would_reach_into_another_customers_are_refused(example: Any) -> None:
    for name in ("acme-east", "", "Acme", "a*", "1a", "a" * 40):
        with pytest.raises(example.Wrong):
            example.group_of(name)
