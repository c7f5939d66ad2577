"""The rows of the service `iot` for domain configurations."""

from hedgerow.api.operations import Row, read, write
from hedgerow.services.iot.domains import DomainOperations

_DOMAIN = "arn:aws:iot:{region}:{account}:domainconfiguration/{domainConfigurationName}"


def rows(*, domains: DomainOperations) -> dict[str, Row]:
    """Answer the rows of domain configurations."""
    return {
        "CreateDomainConfiguration": write(domains.create_domain_configuration, _DOMAIN),
        "DescribeDomainConfiguration": read(domains.describe_domain_configuration, _DOMAIN),
        "ListDomainConfigurations": read(domains.list_domain_configurations),
        "UpdateDomainConfiguration": write(domains.update_domain_configuration, _DOMAIN),
        "DeleteDomainConfiguration": write(domains.delete_domain_configuration, _DOMAIN),
    }
