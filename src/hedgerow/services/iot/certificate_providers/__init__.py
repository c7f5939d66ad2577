"""Certificate providers: functions that sign a fleet's certificate requests."""

from hedgerow.services.iot.certificate_providers.errors import ProviderFailed, RequestRefused
from hedgerow.services.iot.certificate_providers.flows import CertificateProviderFlows, Provided
from hedgerow.services.iot.certificate_providers.operations import CertificateProviderOperations
from hedgerow.services.iot.certificate_providers.store import CertificateProviderStore

__all__ = [
    "CertificateProviderFlows",
    "CertificateProviderOperations",
    "CertificateProviderStore",
    "Provided",
    "ProviderFailed",
    "RequestRefused",
]
