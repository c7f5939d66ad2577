"""The rows of certificates; also what other subjects may ask about them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
)
from sqlalchemy import update as update_rows

from hedgerow.services.iot.certificates.model import Certificate, Mode, Status, Transfer
from hedgerow.store import Tx, metadata

certificates = Table(
    "iot_certificate",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("pem", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("mode", String(10), nullable=False),
    Column("ca_id", String(64)),
    Column("generation", String(36), nullable=False),
    Column("version", Integer, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("not_after", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("previous_owner", String(12)),
    Column("transfer", Text),
)
Index("ix_iot_certificate_created_at", certificates.c.account, certificates.c.created_at, certificates.c.id)
Index(
    "ix_iot_certificate_ca", certificates.c.account, certificates.c.ca_id, certificates.c.created_at, certificates.c.id
)
# The one index that does not begin with the account: it is how a handshake finds the account.
Index("ix_iot_certificate_id", certificates.c.id, certificates.c.account)

offers = Table(
    "iot_certificate_offer",
    metadata,
    Column("source", String(12), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("target", String(12), nullable=False),
    Column("at", Float, nullable=False),
)
Index("ix_iot_certificate_offer_at", offers.c.source, offers.c.at, offers.c.id)
Index("ix_iot_certificate_offer_target", offers.c.target, offers.c.id)

_ACCOUNT: Final[Any] = bindparam("account_")
_ID: Final[Any] = bindparam("id_")
_AT: Final[Any] = bindparam("at")
_AFTER: Final[Any] = bindparam("after")

_GET = select(certificates).where(certificates.c.account == _ACCOUNT, certificates.c.id == _ID)
_OWNERS = select(certificates).where(certificates.c.id == _ID).order_by(certificates.c.account)
_INSERT = insert(certificates)
_UPDATE = update_rows(certificates).where(certificates.c.account == _ACCOUNT, certificates.c.id == _ID)
_DELETE = delete(certificates).where(certificates.c.account == _ACCOUNT, certificates.c.id == _ID)
_LIST = select(certificates).where(certificates.c.account == _ACCOUNT).limit(bindparam("limit_"))
_NEWEST = _LIST.order_by(certificates.c.created_at.desc(), certificates.c.id.desc())
_NEWEST_AFTER = _NEWEST.where(
    or_(certificates.c.created_at < _AT, and_(certificates.c.created_at == _AT, certificates.c.id < _AFTER))
)
_OLDEST = _LIST.order_by(certificates.c.created_at, certificates.c.id)
_OLDEST_AFTER = _OLDEST.where(
    or_(certificates.c.created_at > _AT, and_(certificates.c.created_at == _AT, certificates.c.id > _AFTER))
)
_ELSEWHERE = select(certificates.c.account).where(
    certificates.c.id == _ID, certificates.c.account != _ACCOUNT, certificates.c.mode == "DEFAULT"
)
_OFFER = insert(offers)
_WITHDRAW = delete(offers).where(offers.c.source == _ACCOUNT, offers.c.id == _ID)
_OFFER_FROM = select(offers).where(offers.c.source == _ACCOUNT, offers.c.id == _ID)
_OFFER_TO = select(offers).where(offers.c.target == _ACCOUNT, offers.c.id == _ID)
_OFFERS = select(offers).where(offers.c.source == _ACCOUNT).limit(bindparam("limit_"))
_LAST_OFFERS = _OFFERS.order_by(offers.c.at.desc(), offers.c.id.desc())
_FIRST_OFFERS = _OFFERS.order_by(offers.c.at, offers.c.id)
_PAGES_OF_OFFERS: Final[Mapping[tuple[bool, bool], Any]] = {
    (False, False): _LAST_OFFERS,
    (False, True): _LAST_OFFERS.where(or_(offers.c.at < _AT, and_(offers.c.at == _AT, offers.c.id < _AFTER))),
    (True, False): _FIRST_OFFERS,
    (True, True): _FIRST_OFFERS.where(or_(offers.c.at > _AT, and_(offers.c.at == _AT, offers.c.id > _AFTER))),
}
_CA: Final[Any] = bindparam("ca_")
_PAGES: Final[Mapping[tuple[bool, bool], Any]] = {  # (ascending, there is a beginning)
    (False, False): _NEWEST,
    (False, True): _NEWEST_AFTER,
    (True, False): _OLDEST,
    (True, True): _OLDEST_AFTER,
}
_PAGES_OF_CA: Final = {kind: statement.where(certificates.c.ca_id == _CA) for kind, statement in _PAGES.items()}
_ANCHOR = select(certificates.c.account, certificates.c.id, certificates.c.pem)
_WITHOUT_CA = _ANCHOR.where(certificates.c.ca_id.is_(None), certificates.c.mode == "SNI_ONLY")
_CA_IDS = select(certificates.c.account, certificates.c.ca_id).where(certificates.c.ca_id.is_not(None)).distinct()
_ANCHORS_OF_CA = _ANCHOR.where(certificates.c.account == _ACCOUNT, certificates.c.ca_id == _CA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An open transfer: `source` offers the certificate to `target`."""

    source: str
    id: str
    target: str
    at: float


class CertificateStore:
    """Certificates in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, certificate_id: str) -> Certificate | None:
        """Answer the account's certificate, or None."""
        row = tx.one(_GET, account_=account, id_=certificate_id)
        return None if row is None else _certificate(row)

    def exists(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether the account has a certificate of that id, and it is not on its way to or from another."""
        row = tx.one(_GET, account_=account, id_=certificate_id)
        return row is not None and row.status != Status.PENDING_TRANSFER.value

    def proved_elsewhere(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether another account has it in DEFAULT mode: issued here, or by its own CA."""
        return tx.one(_ELSEWHERE, account_=account, id_=certificate_id) is not None

    def owners(self, tx: Tx, certificate_id: str) -> Sequence[tuple[str, Certificate]]:
        """Answer (account, certificate) for every account that has it, by account."""
        return [(row.account, _certificate(row)) for row in tx.all(_OWNERS, id_=certificate_id)]

    def add(self, tx: Tx, account: str, certificate: Certificate) -> None:
        tx.run(
            _INSERT,
            account=account,
            id=certificate.id,
            pem=certificate.pem,
            status=certificate.status.value,
            mode=certificate.mode.value,
            ca_id=certificate.ca_id,
            generation=certificate.generation,
            version=certificate.version,
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            created_at=certificate.created_at,
            updated_at=certificate.updated_at,
            previous_owner=certificate.previous_owner,
            transfer=_transfer_column(certificate),
        )

    def put(self, tx: Tx, account: str, certificate: Certificate) -> None:
        """Write the status and the transfer; nothing else of a certificate changes."""
        tx.run(
            _UPDATE,
            account_=account,
            id_=certificate.id,
            status=certificate.status.value,
            version=certificate.version,
            updated_at=certificate.updated_at,
            transfer=_transfer_column(certificate),
        )

    def remove(self, tx: Tx, account: str, certificate_id: str) -> None:
        tx.run(_DELETE, account_=account, id_=certificate_id)

    def list(
        self, tx: Tx, account: str, *, after: tuple[Any, ...], limit: int, ascending: bool = False
    ) -> Sequence[Certificate]:
        """Answer certificates, newest first unless `ascending`, those after (created_at, id); () is the beginning."""
        values = {"account_": account, "limit_": limit, **_position(after)}
        return [_certificate(row) for row in tx.all(_PAGES[ascending, bool(after)], **values)]

    def of_ca(
        self, tx: Tx, account: str, ca_id: str, *, after: tuple[Any, ...], limit: int, ascending: bool = False
    ) -> Sequence[Certificate]:
        """Answer the certificates that were registered as signed by the CA, in the order and pages of `list`."""
        values = {"account_": account, "ca_": ca_id, "limit_": limit, **_position(after)}
        return [_certificate(row) for row in tx.all(_PAGES_OF_CA[ascending, bool(after)], **values)]

    def without_ca(self, tx: Tx) -> Sequence[tuple[str, str, str]]:
        """Answer (account, id, PEM) of every certificate that a listener must trust by itself."""
        return [(row.account, row.id, row.pem) for row in tx.all(_WITHOUT_CA)]

    def ca_ids(self, tx: Tx) -> Sequence[tuple[str, str]]:
        """Answer (account, id) of every CA of which an account has registered certificates."""
        return [(row.account, row.ca_id) for row in tx.all(_CA_IDS)]

    def anchors_of_ca(self, tx: Tx, account: str, ca_id: str) -> Sequence[tuple[str, str, str]]:
        """Answer (account, id, PEM) of the certificates that the CA signed, for when the CA itself is gone."""
        return [(row.account, row.id, row.pem) for row in tx.all(_ANCHORS_OF_CA, account_=account, ca_=ca_id)]


class OfferStore:
    """Open transfers in the database. It holds nothing; one serves every transaction."""

    def add(self, tx: Tx, offer: Offer) -> None:
        tx.run(_OFFER, source=offer.source, id=offer.id, target=offer.target, at=offer.at)

    def remove(self, tx: Tx, offer: Offer) -> None:
        tx.run(_WITHDRAW, account_=offer.source, id_=offer.id)

    def sent(self, tx: Tx, account: str, certificate_id: str) -> Offer | None:
        """Answer the account's open offer of the certificate, or None."""
        return _offer(tx.one(_OFFER_FROM, account_=account, id_=certificate_id))

    def received(self, tx: Tx, account: str, certificate_id: str) -> Offer | None:
        """Answer the open offer of the certificate to the account, or None."""
        return _offer(tx.one(_OFFER_TO, account_=account, id_=certificate_id))

    def list(
        self, tx: Tx, account: str, *, after: tuple[Any, ...], limit: int, ascending: bool = False
    ) -> Sequence[Offer]:
        """Answer the account's open offers, newest first unless `ascending`, those after (at, id)."""
        values = {"account_": account, "limit_": limit, **_position(after)}
        rows = tx.all(_PAGES_OF_OFFERS[ascending, bool(after)], **values)
        return [Offer(source=row.source, id=row.id, target=row.target, at=row.at) for row in rows]


def _position(after: tuple[Any, ...]) -> dict[str, Any]:
    return {"at": after[0], "after": after[1]} if after else {}


def _offer(row: Row[Any] | None) -> Offer | None:
    return None if row is None else Offer(source=row.source, id=row.id, target=row.target, at=row.at)


def _transfer_column(certificate: Certificate) -> str | None:
    return None if certificate.transfer is None else json.dumps(asdict(certificate.transfer))


def _certificate(row: Row[Any]) -> Certificate:
    return Certificate(
        id=row.id,
        pem=row.pem,
        status=Status(row.status),
        mode=Mode(row.mode),
        ca_id=row.ca_id,
        generation=row.generation,
        version=row.version,
        not_before=row.not_before,
        not_after=row.not_after,
        created_at=row.created_at,
        updated_at=row.updated_at,
        previous_owner=row.previous_owner,
        transfer=None if row.transfer is None else Transfer(**json.loads(row.transfer)),
    )
