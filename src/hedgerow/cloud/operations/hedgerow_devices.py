"""The row of devices that are made by one call, and what happens to its tokens."""

from collections.abc import Callable, Mapping

from hedgerow.api.operations import Row, flow
from hedgerow.services.hedgerow.devices import OVER, DeviceFlows, DeviceFollowUps
from hedgerow.store import Answer, FollowUp, Tx

_THING = "arn:aws:iot:{region}:{account}:thing/{thingName}"


def rows(*, devices: DeviceFlows) -> dict[str, Row]:
    """Answer the row; the rights for the steps are asked for by the steps."""
    return {"ProvisionDevice": flow(devices.provision_device, _THING)}


def follow_up_rows(*, devices: DeviceFollowUps) -> Mapping[str, Callable[[Tx, FollowUp], Answer]]:
    """Answer the handler of tokens whose time is over."""
    return {OVER: devices.on_over}
