"""Billing groups: each thing is in one at most."""

from hedgerow.services.iot.billing_groups.operations import BillingGroupOperations
from hedgerow.services.iot.billing_groups.store import BillingGroupStore

__all__ = ["BillingGroupOperations", "BillingGroupStore"]
