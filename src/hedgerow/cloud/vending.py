"""Builds the vending machine: devices that hold only public data, and operators who approve them."""

from collections.abc import Mapping
from typing import Any

from hedgerow.base.errors import HedgerowError
from hedgerow.cloud.device_authority import DeviceAuthority
from hedgerow.cloud.operations import vending as vending_rows
from hedgerow.cloud.registry import Registry, Stores
from hedgerow.cloud.rows import Tables
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager
from hedgerow.services.hedgerow.accounts import AccountReader
from hedgerow.services.iot.certificates import CertificateOperations, CertificateStore, Status
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.provisioning import Order, Registration
from hedgerow.services.iot.vending import (
    Secrets,
    Throttles,
    VendingFlows,
    VendingFollowUps,
    VendingOperations,
    VendingStore,
)
from hedgerow.store import Answer, Run, Tx


def build_vending(
    *,
    tables: Tables,
    run: Run,
    pager: Pager,
    throttles: Throttles,
    key: bytes,
    first_account: str,
    registry: Registry,
    registration: Registration,
    authority: DeviceAuthority,
) -> None:
    """Build it and enter its rows."""
    stores, devices, secrets = registry.stores, VendingStore(), Secrets(key)
    certificates = CertificatesInUse(stores.certificates)
    flows = VendingFlows(
        run=run,
        devices=devices,
        accounts=AccountReader(),
        certificates=certificates,
        first_account=first_account,
        secrets=secrets,
        throttles=throttles,
        authority=authority,
        registrar=VendingRegistrar(stores=stores, entries=registry.certificates, registration=registration),
        attempts=stores.attempts(),
    )
    operations = VendingOperations(
        devices=devices,
        templates=stores.templates,
        certificates=certificates,
        secrets=secrets,
        pages=Pages(pager),
    )
    tables.serve("hedgerow-device", vending_rows.device_rows(vending=flows))
    tables.serve("hedgerow", vending_rows.rows(vending=operations))
    tables.follow(vending_rows.follow_up_rows(vending=VendingFollowUps(devices=devices)))


class CertificatesInUse:
    """Looks at certificates. It holds nothing."""

    def __init__(self, store: CertificateStore) -> None:
        self._store = store

    def in_use(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether a device may connect with it, now or soon."""
        found = self._store.get(tx, account, certificate_id)
        return found is not None and found.status in (Status.ACTIVE, Status.PENDING_ACTIVATION)


class CannotBeRegistered(HedgerowError):
    """The template that was approved for the device is of no use; the message says why."""


class VendingRegistrar:
    """Registers a device as its approved template says. It holds no state of its own."""

    def __init__(self, *, stores: Stores, entries: CertificateOperations, registration: Registration) -> None:
        self._stores = stores
        self._entries = entries
        self._registration = registration

    def register(
        self, tx: Tx, caller: Caller, *, pem: str, template: str, parameters: Mapping[str, str]
    ) -> tuple[str, Mapping[str, Any], Answer]:
        """Do all of it; answer the certificate's id, what the device is told, and what it lets happen."""
        found = self._stores.templates.get(tx, caller.account, template)
        version = None
        if found is not None and found.enabled and found.hook is None and not found.just_in_time:
            version = self._stores.templates.version(tx, caller.account, template, found.default_version)
        if found is None or version is None:
            raise CannotBeRegistered(f"template {template} is gone, not enabled, or has a hook")
        entry = self._entries.enter_pending(tx, caller, pem)
        order = Order(
            certificate_id=entry.id,
            template=template,
            body=version.body,
            role_arn=found.role_arn,
            parameters=parameters,
            approved=False,
        )
        done = self._registration.register(tx, order, caller)
        return entry.id, {"certificatePem": entry.pem, **done.response}, done
