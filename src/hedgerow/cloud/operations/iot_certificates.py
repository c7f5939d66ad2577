"""The rows of the service `iot` for device certificates, the CA certificates that accounts bring, and providers."""

from hedgerow.api.operations import Row, flow, pass_role, read, write
from hedgerow.services.iot.ca_certificates import CaCertificateFlows, CaCertificateOperations
from hedgerow.services.iot.certificate_providers import CertificateProviderOperations
from hedgerow.services.iot.certificates import CertificateFlows, CertificateOperations, CertificateTransferOperations

_OWN = "arn:aws:iot:{region}:{account}:"
_CERTIFICATE = _OWN + "cert/{certificateId}"
_CA = _OWN + "cacert/{certificateId}"
_TO_CA = (pass_role("registrationConfig.roleArn", to="iot.amazonaws.com"),)
_PROVIDER = _OWN + "certificateprovider:{certificateProviderName}"


def certificate_rows(certificates: CertificateOperations, flows: CertificateFlows) -> dict[str, Row]:
    """Answer the rows of device certificates."""
    return {
        "CreateKeysAndCertificate": flow(flows.create_keys_and_certificate),
        "CreateCertificateFromCsr": flow(flows.create_certificate_from_csr),
        "RegisterCertificate": write(certificates.register_certificate),
        "RegisterCertificateWithoutCA": flow(flows.register_certificate_without_ca),
        "DescribeCertificate": read(certificates.describe_certificate, _CERTIFICATE),
        "ListCertificates": read(certificates.list_certificates),
        "ListCertificatesByCA": read(certificates.list_certificates_by_ca),
        "UpdateCertificate": write(certificates.update_certificate, _CERTIFICATE),
        "DeleteCertificate": write(certificates.delete_certificate, _CERTIFICATE),
    }


def transfer_rows(*, transfers: CertificateTransferOperations) -> dict[str, Row]:
    """Answer the rows of certificates on their way to another account."""
    return {
        "TransferCertificate": write(transfers.transfer_certificate, _CERTIFICATE),
        "AcceptCertificateTransfer": write(transfers.accept_certificate_transfer, _CERTIFICATE),
        "RejectCertificateTransfer": write(transfers.reject_certificate_transfer, _CERTIFICATE),
        "CancelCertificateTransfer": write(transfers.cancel_certificate_transfer, _CERTIFICATE),
        "ListOutgoingCertificates": read(transfers.list_outgoing_certificates),
    }


def provider_rows(*, providers: CertificateProviderOperations) -> dict[str, Row]:
    """Answer the rows of certificate providers."""
    return {
        "CreateCertificateProvider": write(providers.create_certificate_provider, _PROVIDER),
        "DescribeCertificateProvider": read(providers.describe_certificate_provider, _PROVIDER),
        "ListCertificateProviders": read(providers.list_certificate_providers),
        "UpdateCertificateProvider": write(providers.update_certificate_provider, _PROVIDER),
        "DeleteCertificateProvider": write(providers.delete_certificate_provider, _PROVIDER),
    }


def ca_rows(*, cas: CaCertificateOperations, flows: CaCertificateFlows) -> dict[str, Row]:
    """Answer the rows of CA certificates."""
    return {
        "GetRegistrationCode": write(cas.get_registration_code),
        "DeleteRegistrationCode": write(cas.delete_registration_code),
        "RegisterCACertificate": flow(flows.register_ca_certificate, also=_TO_CA),
        "DescribeCACertificate": read(cas.describe_ca_certificate, _CA),
        "ListCACertificates": read(cas.list_ca_certificates),
        "UpdateCACertificate": write(cas.update_ca_certificate, _CA, also=_TO_CA),
        "DeleteCACertificate": write(cas.delete_ca_certificate, _CA),
    }
