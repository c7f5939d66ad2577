"""What enrolment needs of others: certificates, the registry, templates, claims, functions, the record."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hedgerow.core.caller import Caller
from hedgerow.store import Tx


class Issued(Protocol):
    """A certificate for a key that was made for it."""

    @property
    def certificate_pem(self) -> str:
        """The certificate."""
        ...

    @property
    def private_key_pem(self) -> str:
        """The private key: handed on once, never stored or logged."""
        ...


class Authority(Protocol):
    """Makes device keys and signs device certificates. Off the loop, with a deadline."""

    async def issue(self) -> Issued:
        """Make a key and a certificate for it."""
        ...

    async def sign(self, signing_request_pem: str) -> str:
        """Answer the PEM of a certificate for the request's key; raises a ServiceError that says why not."""
        ...


class Entry(Protocol):
    """What was entered into the registry."""

    @property
    def id(self) -> str:
        """The certificate's id."""
        ...

    @property
    def pem(self) -> str:
        """The certificate as PEM."""
        ...


class Provided(Protocol):
    """A certificate of the account's certificate provider, on its way into the registry."""

    @property
    def trusting(self) -> AbstractAsyncContextManager[None]:
        """The block in which it is entered; the listeners trust it when that has ended well."""
        ...

    def enter(self, tx: Tx) -> Entry:
        """Write it into the registry, PENDING_ACTIVATION."""
        ...


class Providers(Protocol):
    """The accounts' certificate providers."""

    async def provide(self, signing_request_pem: str, caller: Caller) -> Provided | None:
        """Have the request signed; None when the account has no provider.

        Raises a ServiceError for what is no signing request, another HedgerowError when the provider fails.
        """
        ...


class Entries(Protocol):
    """Enters certificates into the registry."""

    def enter_pending(self, tx: Tx, caller: Caller, pem: str) -> Entry:
        """Write a certificate that is PENDING_ACTIVATION into the caller's registry."""
        ...


class Hook(Protocol):
    """The function that is asked first."""

    @property
    def function_arn(self) -> str:
        """The function."""
        ...


class Template(Protocol):
    """What enrolment looks at in a template."""

    @property
    def just_in_time(self) -> bool:
        """Whether it is for devices that connect with a certificate of a registered CA, and no other."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether it provisions devices."""
        ...

    @property
    def role_arn(self) -> str:
        """The role whose rights are used."""
        ...

    @property
    def hook(self) -> Hook | None:
        """The function that is asked first, if any."""
        ...

    @property
    def default_version(self) -> int:
        """The version that is used."""
        ...


class Version(Protocol):
    """One version of a template."""

    @property
    def body(self) -> str:
        """The template's text."""
        ...


class Templates(Protocol):
    """The rows of provisioning templates."""

    def get(self, tx: Tx, account: str, name: str) -> Template | None:
        """Answer the template, or None."""
        ...

    def version(self, tx: Tx, account: str, name: str, number: int) -> Version | None:
        """Answer one version, or None."""
        ...


class Claims(Protocol):
    """What the certificates of those who ask are allowed, as far as they are claims."""

    def check(self, tx: Tx, caller: Caller, template: str | None, *, again: bool) -> Callable[[], None]:
        """Raise a HedgerowError unless the caller may ask for a certificate, or be provisioned by the template.

        Answers what notes, in the same transaction, that one device more was provisioned (nothing for one `again`).
        """
        ...


class Invoker(Protocol):
    """Invokes functions for AWS IoT."""

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        """Answer what the function returned, as principal iot.amazonaws.com for the source (the template).

        Raises AccessDenied where the function's policy does not allow it, HookFailed when the function ended with an
        error, any other HedgerowError when it could not be run.
        """
        ...


class Attempts(Protocol):
    """The record of how devices got their identity."""

    def note(
        self,
        tx: Tx,
        caller: Caller,
        *,
        way: str,
        why_not: str | None = None,
        device: str | None = None,
        certificate_id: str | None = None,
        template: str | None = None,
    ) -> None:
        """Write down how an attempt ended: well, or `why_not`."""
        ...
