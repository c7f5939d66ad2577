"""Device certificates."""

from hedgerow.services.iot.certificates.errors import InvalidSigningRequest
from hedgerow.services.iot.certificates.flows import Anchors, Authority, CertificateFlows, Issued
from hedgerow.services.iot.certificates.model import Certificate, Mode, Status
from hedgerow.services.iot.certificates.operations import CertificateOperations
from hedgerow.services.iot.certificates.store import CertificateStore, OfferStore
from hedgerow.services.iot.certificates.transfers import CertificateTransferOperations

__all__ = [
    "Anchors",
    "Authority",
    "Certificate",
    "CertificateFlows",
    "CertificateOperations",
    "CertificateStore",
    "CertificateTransferOperations",
    "InvalidSigningRequest",
    "Issued",
    "Mode",
    "OfferStore",
    "Status",
]
