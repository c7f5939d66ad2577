"""The rows of domain configurations."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Boolean, Column, Float, Row, String, Table, Text, bindparam, delete, func, insert, select
from sqlalchemy import update as update_rows

from hedgerow.core.tls import Application, Domain, Proof
from hedgerow.services.iot.domains.model import DomainConfiguration
from hedgerow.store import Tx, metadata

domains = Table(
    "iot_domain_configuration",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("host", String(253), nullable=False, unique=True),
    Column("managed", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("proof", String(20)),
    Column("application", String(20), nullable=False),
    Column("policy", String(128), nullable=False),
    Column("authorizer", String(128)),
    Column("override", Boolean, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("callback", Text),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")

_GET = select(domains).where(domains.c.account == _ACCOUNT, domains.c.name == _NAME)
_BY_HOST = select(domains).where(domains.c.host == bindparam("host_"))
_INSERT = insert(domains)
_UPDATE = update_rows(domains).where(domains.c.account == _ACCOUNT, domains.c.name == _NAME)
_DELETE = delete(domains).where(domains.c.account == _ACCOUNT, domains.c.name == _NAME)
_COUNT = select(func.count()).select_from(domains).where(domains.c.account == _ACCOUNT)
_OF_ACCOUNT = select(domains).where(domains.c.account == _ACCOUNT).order_by(domains.c.name)  # at most ten
_ALL = select(domains).order_by(domains.c.account, domains.c.name)


class DomainStore:
    """Domain configurations in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, name: str) -> DomainConfiguration | None:
        """Answer the account's domain configuration, or None."""
        row = tx.one(_GET, account_=account, name_=name)
        return None if row is None else _configuration(row)

    def by_host(self, tx: Tx, host: str) -> DomainConfiguration | None:
        """Answer whoever's configuration has the host name, or None."""
        row = tx.one(_BY_HOST, host_=host)
        return None if row is None else _configuration(row)

    def add(self, tx: Tx, configuration: DomainConfiguration) -> None:
        domain = configuration.domain
        tx.run(
            _INSERT,
            account=domain.account,
            name=domain.configuration,
            host=domain.name,
            managed=configuration.managed,
            **_columns(configuration),
        )

    def put(self, tx: Tx, configuration: DomainConfiguration) -> None:
        domain = configuration.domain
        tx.run(_UPDATE, account_=domain.account, name_=domain.configuration, **_columns(configuration))

    def remove(self, tx: Tx, account: str, name: str) -> None:
        tx.run(_DELETE, account_=account, name_=name)

    def count(self, tx: Tx, account: str) -> int:
        row = tx.one(_COUNT, account_=account)
        return 0 if row is None else int(row[0])

    def of_account(self, tx: Tx, account: str) -> Sequence[DomainConfiguration]:
        """Answer the account's configurations by name."""
        return [_configuration(row) for row in tx.all(_OF_ACCOUNT, account_=account)]

    def asking(self, tx: Tx, account: str, authorizer: str) -> Sequence[str]:
        """Answer the names of the configurations that ask this authorizer by default."""
        return [each.name for each in self.of_account(tx, account) if each.domain.authorizer == authorizer]

    def everyone(self, tx: Tx) -> Sequence[Domain]:
        """Answer what every account has, for the listeners."""
        return [_configuration(row).domain for row in tx.all(_ALL)]


def _columns(configuration: DomainConfiguration) -> dict[str, Any]:
    domain = configuration.domain
    return {
        "enabled": domain.enabled,
        "proof": None if domain.proof is None else domain.proof.value,
        "application": domain.application.value,
        "policy": domain.policy,
        "authorizer": domain.authorizer,
        "override": domain.override,
        "changed_at": configuration.changed_at,
        "callback": domain.callback,
    }


def _configuration(row: Row[Any]) -> DomainConfiguration:
    return DomainConfiguration(
        domain=Domain(
            account=row.account,
            configuration=row.name,
            name=row.host,
            enabled=bool(row.enabled),
            proof=None if row.proof is None else Proof(row.proof),
            application=Application(row.application),
            policy=row.policy,
            authorizer=row.authorizer,
            override=bool(row.override),
            callback=row.callback,
        ),
        managed=bool(row.managed),
        changed_at=row.changed_at,
    )
