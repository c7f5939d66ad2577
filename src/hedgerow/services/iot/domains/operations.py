"""The operations on domain configurations, with the ones for default endpoints that every account has from the start.

The listeners hear of every change by `DomainChanged` and choose by the server name that a client asks for. There is no
ACM here: the cloud's server CA issues and renews the certificate for a name, so `serverCertificateArns` stays empty.
The default endpoints are one host that all accounts share, so they cannot be changed; their settings are the cloud's.
Spec: AWS IoT CreateDomainConfiguration …; sheet section 1.8.
"""

from collections.abc import Collection
from typing import Any, Final, Protocol

from hedgerow.base.errors import NotImplementedYet
from hedgerow.base.ids import Ids
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.events import DomainChanged
from hedgerow.core.request import Request
from hedgerow.core.tls import DEFAULT_POLICY, Application, Domain
from hedgerow.services.iot.domains.errors import (
    BadDomain,
    DomainExists,
    DomainNameTaken,
    NoSuchDomain,
    TooManyDomains,
)
from hedgerow.services.iot.domains.model import (
    DEFAULT_TYPE,
    DISABLED,
    ENABLED,
    MOST,
    DomainConfiguration,
    check_callback,
    checked_host,
    made_host,
    read_authorizer,
    read_callback,
    read_policy,
    read_type,
)
from hedgerow.services.iot.domains.store import DomainStore
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx

DATA: Final = "DATA"
DEFAULTS: Final = {"iot:CredentialProvider": "CREDENTIAL_PROVIDER", "iot:Data-ATS": DATA, "iot:Jobs": "JOBS"}


class Hosts(Protocol):
    """What domain configurations need of endpoints."""

    def of(self, kind: str | None) -> str:
        """Answer the host of an endpoint type."""
        ...


class Authorizers(Protocol):
    """What domain configurations need of custom authorizers."""

    def get(self, tx: Tx, account: str, name: str) -> object | None:
        """Answer the account's authorizer, or None."""
        ...


class DomainOperations:
    """The operations on domain configurations."""

    def __init__(
        self,
        *,
        domains: DomainStore,
        authorizers: Authorizers,
        hosts: Hosts,
        own_names: Collection[str],
        ids: Ids,
        pages: Pages,
    ) -> None:
        """`own_names` are the cloud's, which nobody may have."""
        self._domains = domains
        self._authorizers = authorizers
        self._hosts = hosts
        self._own_names = frozenset(own_names)
        self._ids = ids
        self._pages = pages

    def create_domain_configuration(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request["domainConfigurationName"]
        if name.lower().startswith("iot:"):
            raise BadDomain("names that begin with iot: are those of default endpoints")
        if request.get("serviceType") not in (None, DATA):
            raise BadDomain(f"serviceType must be {DATA}: other services have no domain configurations of their own")
        if request.get("serverCertificateArns"):
            raise NotImplementedYet(
                "serverCertificateArns: there is no ACM here; leave it out, and the server CA of the cloud issues and "
                "renews a certificate for domainName"
            )
        if self._domains.get(tx, caller.account, name) is not None:
            raise DomainExists(name, domain_arn=_arn(caller, name))
        if self._domains.count(tx, caller.account) >= MOST:
            raise TooManyDomains(MOST)
        made = self._new(tx, request, caller, name)
        if self._domains.by_host(tx, made.domain.name) is not None:
            raise DomainNameTaken(made.domain.name)
        self._domains.add(tx, made)
        return _answer(caller, made)

    def _new(self, tx: Tx, request: Request, caller: Caller, name: str) -> DomainConfiguration:
        given = request.get("domainName")
        if given is None:
            host = made_host(self._hosts.of("iot:Data-ATS"), self._ids.hex(20))
        else:
            host = checked_host(given, self._own_names)
        proof, application = read_type(request, None, Application.DEFAULT)
        authorizer, override = read_authorizer(request) or (None, True)
        self._check_authorizer(tx, caller, authorizer)
        domain = Domain(
            account=caller.account,
            configuration=name,
            name=host,
            proof=proof,
            application=application,
            policy=read_policy(request) or DEFAULT_POLICY,
            authorizer=authorizer,
            override=override,
            callback=read_callback(request, caller.account) or None,
        )
        check_callback(domain)
        return DomainConfiguration(domain=domain, managed=given is None, changed_at=tx.now)

    def update_domain_configuration(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request["domainConfigurationName"]
        if name in DEFAULTS:
            raise BadDomain(f"{name} is a default endpoint, which cannot be changed: create a domain configuration")
        changed = self._get(tx, caller, name).updated(request, now=tx.now)
        self._check_authorizer(tx, caller, changed.domain.authorizer)
        self._domains.put(tx, changed)
        return _answer(caller, changed)

    def delete_domain_configuration(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        found = self._get(tx, caller, request["domainConfigurationName"])
        found.check_deletable(tx.now)
        self._domains.remove(tx, caller.account, found.name)
        return Answer({}, events=(_changed(found, None),))

    def describe_domain_configuration(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request["domainConfigurationName"]
        if name in DEFAULTS:
            return Answer(self._default(caller, name))
        found = self._get(tx, caller, name)
        domain = found.domain
        shown = {
            **_named(caller, domain.configuration, DATA),
            "domainName": domain.name,
            "serverCertificates": [],
            "domainConfigurationStatus": ENABLED if domain.enabled else DISABLED,
            "domainType": "AWS_MANAGED" if found.managed else "CUSTOMER_MANAGED",
            "lastStatusChangeDate": found.changed_at,
            "tlsConfig": {"securityPolicy": domain.policy},
            "authenticationType": DEFAULT_TYPE if domain.proof is None else domain.proof.value,
            "applicationProtocol": domain.application.value,
        }
        if domain.authorizer is not None:
            shown["authorizerConfig"] = {
                "defaultAuthorizerName": domain.authorizer,
                "allowAuthorizerOverride": domain.override,
            }
        if domain.callback is not None:
            shown["clientCertificateConfig"] = {"clientCertificateCallbackArn": domain.callback}
        return Answer(shown)

    def list_domain_configurations(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        service = request.get("serviceType")
        page = self._pages.by_marker(request, caller, "ListDomainConfigurations", service=service)
        own = {one.name: DATA for one in self._domains.of_account(tx, caller.account)}
        every = sorted((DEFAULTS | own).items())
        found = [(name, kind) for name, kind in every if name > page.after() and service in (None, kind)]
        return Answer(
            page.answer(
                "domainConfigurations",
                found[: page.limit],
                key=lambda one: (one[0],),
                show=lambda one: _named(caller, *one),
            )
        )

    def _default(self, caller: Caller, name: str) -> dict[str, Any]:
        return {
            **_named(caller, name, DEFAULTS[name]),
            "domainName": self._hosts.of(name),
            "serverCertificates": [],
            "domainConfigurationStatus": ENABLED,
            "domainType": "ENDPOINT",
            "tlsConfig": {"securityPolicy": DEFAULT_POLICY},
            "authenticationType": DEFAULT_TYPE,
            "applicationProtocol": Application.DEFAULT.value,
        }

    def _get(self, tx: Tx, caller: Caller, name: str) -> DomainConfiguration:
        found = self._domains.get(tx, caller.account, name)
        if found is None:
            raise NoSuchDomain(name)
        return found

    def _check_authorizer(self, tx: Tx, caller: Caller, name: str | None) -> None:
        if name is not None and self._authorizers.get(tx, caller.account, name) is None:
            raise BadDomain(f"there is no authorizer {name}")


def _answer(caller: Caller, made: DomainConfiguration) -> Answer:
    shown = _named(caller, made.name, DATA)
    del shown["serviceType"]
    return Answer(shown, events=(_changed(made, made.domain),))


def _changed(configuration: DomainConfiguration, domain: Domain | None) -> DomainChanged:
    known = configuration.domain
    return DomainChanged(account=known.account, configuration=known.configuration, name=known.name, domain=domain)


def _named(caller: Caller, name: str, service: str) -> dict[str, Any]:
    return {
        "domainConfigurationName": name,
        "domainConfigurationArn": _arn(caller, name),
        "serviceType": service,
    }


def _arn(caller: Caller, name: str) -> str:
    return arn("iot", caller.region, caller.account, f"domainconfiguration/{name}")
