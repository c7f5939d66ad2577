"""What a domain configuration is, and which changes to it are legal.

Two kinds: with a `domainName` of the customer's, for which the cloud's server CA issues a certificate, and without one,
where the cloud makes a name under its own. `core.tls.Domain` is what the listeners make of it.
"""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from hedgerow.core.arn import parse
from hedgerow.core.request import Request
from hedgerow.core.tls import SECURITY_POLICIES, Application, Domain, Proof
from hedgerow.services.iot.domains.errors import BadDomain, DisabledTooShort, StillEnabled

MOST: Final = 10
KEPT_DISABLED_DAYS: Final = 7  # of names that the cloud made
ENABLED: Final = "ENABLED"
DISABLED: Final = "DISABLED"
DEFAULT_TYPE: Final = "DEFAULT"

_DAY_S: Final = 86_400
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OF_ACCOUNT: Final = re.compile(r"[0-9]{12}\.")
_PAIRS: Final = {  # how a client proves itself: what it may speak
    Proof.X509: {Application.SECURE_MQTT, Application.HTTPS},
    Proof.X509_AND_CUSTOM: {Application.SECURE_MQTT, Application.HTTPS},
    Proof.SIGV4: {Application.MQTT_WSS, Application.HTTPS},
    Proof.CUSTOM: {Application.SECURE_MQTT, Application.MQTT_WSS, Application.HTTPS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainConfiguration:
    """One domain configuration."""

    domain: Domain
    managed: bool  # the cloud made its name
    changed_at: float  # its status

    @property
    def name(self) -> str:
        """Answer what the configuration is called."""
        return self.domain.configuration

    def updated(self, request: Request, *, now: float) -> "DomainConfiguration":
        """Answer it as UpdateDomainConfiguration wants it."""
        wanted = request.get("domainConfigurationStatus")
        enabled = self.domain.enabled if wanted is None else wanted == ENABLED
        changed_at = self.changed_at if enabled == self.domain.enabled else now
        proof, application = self.domain.proof, self.domain.application
        if request.get("authenticationType") is not None or request.get("applicationProtocol") is not None:
            proof, application = read_type(request, proof, application)
        policy = read_policy(request) or self.domain.policy
        authorizer, override = self.domain.authorizer, self.domain.override
        given = read_authorizer(request)
        if given is not None:
            authorizer, override = given
        if request.get("removeAuthorizerConfig"):
            if given is not None:
                raise BadDomain("authorizerConfig and removeAuthorizerConfig cannot be given together")
            authorizer, override = None, True
        callback = read_callback(request, self.domain.account)
        domain = replace(
            self.domain,
            enabled=enabled,
            proof=proof,
            application=application,
            policy=policy,
            authorizer=authorizer,
            override=override,
            callback=self.domain.callback if callback is None else callback or None,
        )
        check_callback(domain)
        return replace(self, domain=domain, changed_at=changed_at)

    def check_deletable(self, now: float) -> None:
        """Raise unless it has been disabled, for long enough where the cloud made the name."""
        if self.domain.enabled:
            raise StillEnabled(self.name)
        if self.managed and now < self.changed_at + KEPT_DISABLED_DAYS * _DAY_S:
            raise DisabledTooShort(self.name, KEPT_DISABLED_DAYS)


def read_type(request: Request, proof: Proof | None, application: Application) -> tuple[Proof | None, Application]:
    """Answer how clients prove themselves and what they speak; what is not given stays. Raises for what does not go."""
    kind = request.get("authenticationType") or (DEFAULT_TYPE if proof is None else proof.value)
    spoken = Application(request.get("applicationProtocol") or application.value)
    if (kind == DEFAULT_TYPE) != (spoken is Application.DEFAULT):
        raise BadDomain(f"authenticationType {kind} and applicationProtocol {spoken.value} do not go together")
    if kind == DEFAULT_TYPE:
        return None, spoken
    found = Proof(kind)
    if spoken not in _PAIRS[found]:
        raise BadDomain(f"authenticationType {kind} and applicationProtocol {spoken.value} do not go together")
    return found, spoken


def read_policy(request: Request) -> str | None:
    """Answer the name of the security policy that is asked for, or None."""
    config = request.get("tlsConfig")
    name = None if config is None else config.get("securityPolicy")
    if name is None:
        return None
    if name not in SECURITY_POLICIES:
        raise BadDomain(f"securityPolicy {name} is not one of {', '.join(SECURITY_POLICIES)}")
    return str(name)


def read_authorizer(request: Request) -> tuple[str | None, bool] | None:
    """Answer the default authorizer and whether clients may name another, None when nothing is said of it."""
    config: Any = request.get("authorizerConfig")
    if config is None:
        return None
    name, override = config.get("defaultAuthorizerName"), config.get("allowAuthorizerOverride")
    if name is not None and override is None:
        raise BadDomain("allowAuthorizerOverride is required with defaultAuthorizerName")
    if name is None and override is False:
        raise BadDomain("allowAuthorizerOverride cannot be false without a defaultAuthorizerName")
    return name, override is not False


def read_callback(request: Request, account: str) -> str | None:
    """Answer the ARN of the function that is asked about certificates, "" for none, None when nothing is said."""
    config = request.get("clientCertificateConfig")
    given = None if config is None else config.get("clientCertificateCallbackArn")
    if not given:
        return None if given is None else ""
    parts = parse(given)
    if parts is None or parts.service != "lambda" or not parts.resource.startswith("function:"):
        raise BadDomain(f"clientCertificateCallbackArn {given} is not the ARN of a function")
    if parts.account != account:
        raise BadDomain(f"clientCertificateCallbackArn {given} is a function of another account")
    return str(given)


def check_callback(domain: Domain) -> None:
    """Raise BadDomain for a callback where no certificate counts."""
    if domain.callback is not None and domain.proof not in (Proof.X509, Proof.X509_AND_CUSTOM):
        raise BadDomain("clientCertificateConfig needs the authenticationType AWS_X509 or CUSTOM_AUTH_X509")


def checked_host(name: str, taken: Collection[str]) -> str:
    """Answer a customer's domain name in lower case; raise BadDomain unless it is one that may be theirs.

    `taken` are the names of the cloud itself.
    """
    host = name.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadDomain(f"domainName {name!r} is not a fully qualified domain name")
    if _is_address(host):
        raise BadDomain(f"domainName {name!r} is an address; a domain configuration is chosen by a name")
    if host in taken or _OF_ACCOUNT.match(host):
        raise BadDomain(f"domainName {host} is a name of this cloud itself")
    return host


def made_host(endpoint: str, letters: str) -> str:
    """Answer a name of the cloud's own; raise BadDomain where its endpoint is an address, which has no names below."""
    if _is_address(endpoint):
        raise BadDomain(
            f"the endpoint of this cloud is the address {endpoint}: give a domainName, or start with --host"
        )
    return f"d{letters}-ats.{endpoint}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
