"""Devices enrol themselves: certificates and things by the provisioning topics."""

from hedgerow.services.iot.provisioning.errors import HookFailed, Rejection
from hedgerow.services.iot.provisioning.flows import ProvisioningFlows
from hedgerow.services.iot.provisioning.follow_ups import ProvisioningFollowUps
from hedgerow.services.iot.provisioning.model import Tokens
from hedgerow.services.iot.provisioning.operations import Order, Registration, Steps
from hedgerow.services.iot.provisioning.payloads import device_named
from hedgerow.services.iot.provisioning.ports import Invoker
from hedgerow.services.iot.provisioning.registering import OperatorRegistration, Prepared, failure
from hedgerow.services.iot.provisioning.store import ENROLMENT_OVER, UNCLAIMED, EnrolmentStore, Rights

__all__ = [
    "ENROLMENT_OVER",
    "UNCLAIMED",
    "EnrolmentStore",
    "HookFailed",
    "Invoker",
    "OperatorRegistration",
    "Order",
    "Prepared",
    "ProvisioningFlows",
    "ProvisioningFollowUps",
    "Registration",
    "Rejection",
    "Rights",
    "Steps",
    "Tokens",
    "device_named",
    "failure",
]
