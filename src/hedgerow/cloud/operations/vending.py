"""The rows of the vending machine: for devices, which nobody has to sign, and for operators."""

from collections.abc import Callable

from hedgerow.api.operations import Row, flow, read, write
from hedgerow.services.iot.vending import OVER, VendingFlows, VendingFollowUps, VendingOperations
from hedgerow.store import Answer, FollowUp, Tx

_TEMPLATE = "arn:aws:iot:{region}:{account}:provisioningtemplate/{templateName}"


def device_rows(*, vending: VendingFlows) -> dict[str, Row]:
    """Answer the row for devices."""
    return {"RequestCertificate": flow(vending.request_certificate)}


def rows(*, vending: VendingOperations) -> dict[str, Row]:
    """Answer the rows of `hedgerow` for operators. Who approves uses a template, and its role."""
    return {
        "ListVendingRequests": read(vending.list_vending_requests),
        "ApproveVendingRequest": write(vending.approve_vending_request, _TEMPLATE),
        "DenyVendingRequest": write(vending.deny_vending_request),
        "DeleteVendingRequest": write(vending.delete_vending_request),
        "ImportVendingDevices": write(vending.import_vending_devices, _TEMPLATE),
    }


def follow_up_rows(*, vending: VendingFollowUps) -> dict[str, Callable[[Tx, FollowUp], Answer]]:
    """Answer what happens to waiting devices later."""
    return {OVER: vending.on_over}
