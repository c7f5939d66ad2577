"""Builds how devices are made by one call."""

from typing import cast

from hedgerow.cloud.device_authority import DeviceAuthority
from hedgerow.cloud.operations import hedgerow_devices as device_rows
from hedgerow.cloud.registry import Registry
from hedgerow.cloud.rights import CallerRights
from hedgerow.cloud.rows import Tables
from hedgerow.services.hedgerow.devices import (
    DeviceFlows,
    DeviceFollowUps,
    DeviceOperations,
    NewRequest,
    Operation,
    OrderStore,
    Steps,
)
from hedgerow.services.iot.provisioning import OperatorRegistration
from hedgerow.store import Run


def build_device_provisioning(
    *,
    tables: Tables,
    run: Run,
    registry: Registry,
    authority: DeviceAuthority,
    registering: OperatorRegistration,
    callers: CallerRights,
) -> None:
    """Build it and enter its rows. What it is made of stands in the tables already."""

    def step(service: str, operation: str) -> Operation:
        return cast("Operation", tables.operations[service, operation].method)

    devices = DeviceOperations(
        orders=OrderStore(),
        registering=registering,
        steps=Steps(
            update_thing_shadow=step("iot-data", "UpdateThingShadow"),
            create_deployment=step("greengrassv2", "CreateDeployment"),
            detach_thing_principal=registry.principals.detach_thing_principal,
            update_certificate=registry.certificates.update_certificate,
            delete_certificate=registry.certificates.delete_certificate,
        ),
        things=registry.stores.things,
    )
    flows = DeviceFlows(
        run=run,
        devices=devices,
        keys=_Keys(authority),
        preparing=registering,
        callers=callers,
        attempts=registry.stores.attempts(),
    )
    tables.serve("hedgerow", device_rows.rows(devices=flows))
    tables.follow(device_rows.follow_up_rows(devices=DeviceFollowUps(orders=OrderStore())))


class _Keys:
    """Makes keys and their signing requests."""

    def __init__(self, authority: DeviceAuthority) -> None:
        self._authority = authority

    async def request(self) -> NewRequest:
        private, public, request = await self._authority.request()
        return NewRequest(private_key_pem=private, public_key_pem=public, signing_request_pem=request)
