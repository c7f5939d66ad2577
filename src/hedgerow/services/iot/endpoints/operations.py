"""DescribeEndpoint, and the domain configurations that every account has.

An endpoint is answered as a bare host, as AWS's is, because SDKs put scheme and port around it. Domain configurations
are read only: which host names the cloud has is said when it is started (`--host`), so making one is refused by name.
"""

from typing import Any

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.endpoints.errors import NoSuchDomain
from hedgerow.services.iot.endpoints.model import DOMAINS, DomainConfiguration, Endpoints
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx


class EndpointOperations:
    """The operations on endpoints. They have no rows: where the cloud is found is said when it is built."""

    def __init__(self, *, endpoints: Endpoints, pages: Pages) -> None:
        self._endpoints = endpoints
        self._pages = pages

    def describe_endpoint(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer({"endpointAddress": self._endpoints.of(request.get("endpointType"))})

    def list_domain_configurations(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        service = request.get("serviceType")
        page = self._pages.by_marker(request, caller, "ListDomainConfigurations", service=service)
        found = [one for one in DOMAINS if one.name > page.after() and service in (None, one.service)]
        return Answer(
            page.answer(
                "domainConfigurations",
                found[: page.limit],
                key=lambda one: (one.name,),
                show=lambda one: _named(caller, one),
            )
        )

    def describe_domain_configuration(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request["domainConfigurationName"]
        domain = next((one for one in DOMAINS if one.name == name), None)
        if domain is None:
            raise NoSuchDomain(name)
        return Answer(
            {
                **_named(caller, domain),
                "domainName": self._endpoints.of(domain.name),
                "serverCertificates": [],
                "domainConfigurationStatus": "ENABLED",
                "domainType": "ENDPOINT",
                "authenticationType": "DEFAULT",
                "applicationProtocol": "DEFAULT",
            }
        )


def _named(caller: Caller, domain: DomainConfiguration) -> dict[str, Any]:
    return {
        "domainConfigurationName": domain.name,
        "domainConfigurationArn": arn("iot", caller.region, caller.account, f"domainconfiguration/{domain.name}"),
        "serviceType": domain.service,
    }
