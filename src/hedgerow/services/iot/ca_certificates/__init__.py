"""CA certificates that accounts bring, and what a device's first connection with a certificate of theirs sets off."""

from hedgerow.services.iot.ca_certificates.errors import NotProvisioned
from hedgerow.services.iot.ca_certificates.flows import CaCertificateFlows
from hedgerow.services.iot.ca_certificates.model import CaCertificate, CaMode, CaStatus, Provisioning
from hedgerow.services.iot.ca_certificates.operations import CaCertificateOperations
from hedgerow.services.iot.ca_certificates.registering import (
    FirstConnection,
    JustInTimeFlows,
    JustInTimeRegistration,
    Provisioner,
)
from hedgerow.services.iot.ca_certificates.store import CaCertificateStore, RegistrationCodeStore

__all__ = [
    "CaCertificate",
    "CaCertificateFlows",
    "CaCertificateOperations",
    "CaCertificateStore",
    "CaMode",
    "CaStatus",
    "FirstConnection",
    "JustInTimeFlows",
    "JustInTimeRegistration",
    "NotProvisioned",
    "Provisioner",
    "Provisioning",
    "RegistrationCodeStore",
]
