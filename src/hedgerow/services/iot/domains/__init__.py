"""Domain configurations: names of their own by which an account's devices find the cloud."""

from hedgerow.services.iot.domains.model import DomainConfiguration
from hedgerow.services.iot.domains.operations import DomainOperations
from hedgerow.services.iot.domains.store import DomainStore

__all__ = ["DomainConfiguration", "DomainOperations", "DomainStore"]
