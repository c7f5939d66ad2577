"""Claims: certificates that can do nothing but ask for others and be provisioned."""

from hedgerow.services.iot.claims.flows import ClaimFlows
from hedgerow.services.iot.claims.follow_ups import ClaimFollowUps
from hedgerow.services.iot.claims.model import Claim, ClaimRefused
from hedgerow.services.iot.claims.operations import ClaimOperations
from hedgerow.services.iot.claims.reader import ClaimReader
from hedgerow.services.iot.claims.store import OVER, ClaimStore

__all__ = [
    "OVER",
    "Claim",
    "ClaimFlows",
    "ClaimFollowUps",
    "ClaimOperations",
    "ClaimReader",
    "ClaimRefused",
    "ClaimStore",
]
