"""The rows of certificate providers."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Float, Row, String, Table, Text, bindparam, delete, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.iot.certificate_providers.model import CertificateProvider
from hedgerow.store import Tx, metadata

providers = Table(
    "iot_certificate_provider",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("function_arn", Text, nullable=False),
    Column("client_token", String(64)),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")

_LIST = select(providers).where(providers.c.account == _ACCOUNT).order_by(providers.c.name)
_INSERT = insert(providers)
_UPDATE = update_rows(providers).where(providers.c.account == _ACCOUNT, providers.c.name == _NAME)
_DELETE = delete(providers).where(providers.c.account == _ACCOUNT, providers.c.name == _NAME)


class CertificateProviderStore:
    """Certificate providers in the database. It holds nothing; one serves every transaction."""

    def of_account(self, tx: Tx, account: str) -> Sequence[CertificateProvider]:
        """Answer the account's providers, by name."""
        return [_provider(row) for row in tx.all(_LIST, account_=account)]

    def add(self, tx: Tx, account: str, provider: CertificateProvider) -> None:
        tx.run(
            _INSERT,
            account=account,
            name=provider.name,
            function_arn=provider.function_arn,
            client_token=provider.client_token,
            created_at=provider.created_at,
            updated_at=provider.updated_at,
        )

    def put(self, tx: Tx, account: str, provider: CertificateProvider) -> None:
        tx.run(
            _UPDATE,
            account_=account,
            name_=provider.name,
            function_arn=provider.function_arn,
            updated_at=provider.updated_at,
        )

    def remove(self, tx: Tx, account: str, name: str) -> None:
        tx.run(_DELETE, account_=account, name_=name)


def _provider(row: Row[Any]) -> CertificateProvider:
    return CertificateProvider(
        name=row.name,
        function_arn=row.function_arn,
        client_token=row.client_token,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
