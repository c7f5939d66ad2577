"""The rows of OIDC providers; also what other subjects may ask about them."""

import json
from typing import Any, Final

from sqlalchemy import Column, Float, Row, String, Table, Text, bindparam, delete, insert, select, update

from hedgerow.core.arn import parse
from hedgerow.services.iam.oidc_providers.model import SCHEME, OidcProvider
from hedgerow.store import Tx, metadata

_KIND: Final = "oidc-provider/"

oidc_providers = Table(
    "iam_oidc_provider",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("url", String(255), primary_key=True),
    Column("client_ids", Text, nullable=False),
    Column("thumbprints", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_OWN = (oidc_providers.c.account == _ACCOUNT) & (oidc_providers.c.url == bindparam("url_"))

_GET = select(oidc_providers).where(_OWN)
_LIST = select(oidc_providers).where(oidc_providers.c.account == _ACCOUNT).order_by(oidc_providers.c.url)
_INSERT = insert(oidc_providers)
_UPDATE = (
    update(oidc_providers)
    .where(_OWN)
    .values(
        client_ids=bindparam("client_ids_"),
        thumbprints=bindparam("thumbprints_"),
        tags=bindparam("tags_"),
    )
)
_DELETE = delete(oidc_providers).where(_OWN)


class OidcProviderStore:
    """The providers of one account."""

    def __init__(self, tx: Tx, account: str) -> None:
        self._tx = tx
        self._account = account

    def get(self, url: str) -> OidcProvider | None:
        row = self._tx.one(_GET, account_=self._account, url_=url)
        return None if row is None else _provider(row)

    def by_arn(self, arn: str) -> OidcProvider | None:
        parsed = parse(arn)
        if parsed is None or not parsed.resource.startswith(_KIND):
            return None
        provider = self.get(parsed.resource.removeprefix(_KIND))
        return provider if provider is not None and provider.arn == arn else None

    def all(self) -> list[OidcProvider]:
        return [_provider(row) for row in self._tx.all(_LIST, account_=self._account)]

    def add(self, provider: OidcProvider) -> None:
        self._tx.run(
            _INSERT,
            account=self._account,
            url=provider.url,
            client_ids=json.dumps(provider.client_ids),
            thumbprints=json.dumps(provider.thumbprints),
            tags=json.dumps(provider.tags),
            created_at=provider.created_at,
        )

    def put(self, provider: OidcProvider) -> None:
        self._tx.run(
            _UPDATE,
            account_=self._account,
            url_=provider.url,
            client_ids_=json.dumps(provider.client_ids),
            thumbprints_=json.dumps(provider.thumbprints),
            tags_=json.dumps(provider.tags),
        )

    def delete(self, url: str) -> None:
        self._tx.run(_DELETE, account_=self._account, url_=url)


class OidcProviderReader:
    """What other subjects ask about providers."""

    def by_arn(self, tx: Tx, account: str, arn: str) -> OidcProvider | None:
        """Answer the account's provider with this ARN, or None."""
        return OidcProviderStore(tx, account).by_arn(arn)

    def count(self, tx: Tx, account: str) -> int:
        """Answer how many providers the account has."""
        return len(OidcProviderStore(tx, account).all())

    def of_issuer(self, tx: Tx, account: str, issuer: str) -> OidcProvider | None:
        """Answer the account's provider whose tokens name this issuer, or None."""
        if not issuer.startswith(SCHEME):
            return None
        return OidcProviderStore(tx, account).get(issuer.removeprefix(SCHEME))


def _provider(row: Row[Any]) -> OidcProvider:
    return OidcProvider(
        account=row.account,
        url=row.url,
        client_ids=tuple(json.loads(row.client_ids)),
        thumbprints=tuple(json.loads(row.thumbprints)),
        tags=json.loads(row.tags),
        created_at=row.created_at,
    )
