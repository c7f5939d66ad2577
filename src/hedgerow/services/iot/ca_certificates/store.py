"""The rows of CA certificates and of registration codes; also what other subjects may ask about them."""

from collections.abc import Sequence
from typing import Any, Final

from cryptography import x509
from sqlalchemy import (
    Boolean,
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

from hedgerow.core.pki import name_key
from hedgerow.services.iot.ca_certificates.model import CaCertificate, CaMode, CaStatus, Provisioning
from hedgerow.store import Tx, metadata

cas = Table(
    "iot_ca_certificate",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("pem", Text, nullable=False),
    Column("subject", String(64), nullable=False),
    Column("status", String(10), nullable=False),
    Column("mode", String(10), nullable=False),
    Column("auto_registration", Boolean, nullable=False),
    Column("generation", String(36), nullable=False),
    Column("version", Integer, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("not_after", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("template_name", String(36)),
    Column("template_body", Text),
    Column("template_role", String(2048)),
)
Index("ix_iot_ca_certificate_template", cas.c.account, cas.c.template_name)
Index("ix_iot_ca_certificate_created_at", cas.c.account, cas.c.created_at, cas.c.id)
# These two do not begin with the account: a CA in DEFAULT mode is one account's, and a handshake names no account.
Index("ix_iot_ca_certificate_subject", cas.c.subject, cas.c.account)
Index("ix_iot_ca_certificate_id", cas.c.id, cas.c.account)

codes = Table(
    "iot_registration_code",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("code", String(64), nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_ID: Final[Any] = bindparam("id_")
_AT: Final[Any] = bindparam("at")
_AFTER: Final[Any] = bindparam("after")
_SUBJECT: Final[Any] = bindparam("subject_")

_GET = select(cas).where(cas.c.account == _ACCOUNT, cas.c.id == _ID)
_INSERT = insert(cas)
_UPDATE = update_rows(cas).where(cas.c.account == _ACCOUNT, cas.c.id == _ID)
_DELETE = delete(cas).where(cas.c.account == _ACCOUNT, cas.c.id == _ID)
_OF_SUBJECT = select(cas).where(cas.c.account == _ACCOUNT, cas.c.subject == _SUBJECT).order_by(cas.c.created_at)
_ANYWHERE = select(cas).where(cas.c.subject == _SUBJECT).order_by(cas.c.created_at, cas.c.account)
_ELSEWHERE = select(cas.c.account).where(cas.c.id == _ID, cas.c.account != _ACCOUNT, cas.c.mode == "DEFAULT")
_ALL = select(cas.c.account, cas.c.id, cas.c.pem).order_by(cas.c.created_at)
_TEMPLATE: Final[Any] = bindparam("template_")
_LIST = (
    select(cas)
    .where(cas.c.account == _ACCOUNT, or_(_TEMPLATE == "", cas.c.template_name == _TEMPLATE))
    .limit(bindparam("limit_"))
)
_NEWEST = _LIST.order_by(cas.c.created_at.desc(), cas.c.id.desc())
_NEWEST_AFTER = _NEWEST.where(or_(cas.c.created_at < _AT, and_(cas.c.created_at == _AT, cas.c.id < _AFTER)))
_OLDEST = _LIST.order_by(cas.c.created_at, cas.c.id)
_OLDEST_AFTER = _OLDEST.where(or_(cas.c.created_at > _AT, and_(cas.c.created_at == _AT, cas.c.id > _AFTER)))
_USES_TEMPLATE = select(cas.c.id).where(cas.c.account == _ACCOUNT, cas.c.template_name == _TEMPLATE).limit(1)
_CODE = select(codes.c.code).where(codes.c.account == _ACCOUNT)
_ADD_CODE = insert(codes)
_DELETE_CODE = delete(codes).where(codes.c.account == _ACCOUNT)


class CaCertificateStore:
    """CA certificates in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, certificate_id: str) -> CaCertificate | None:
        """Answer the account's CA certificate, or None."""
        row = tx.one(_GET, account_=account, id_=certificate_id)
        return None if row is None else _ca(row)

    def exists(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether the account has a CA certificate of that id."""
        return tx.one(_GET, account_=account, id_=certificate_id) is not None

    def of_subject(self, tx: Tx, account: str, subject: str) -> Sequence[CaCertificate]:
        """Answer the account's CA certificates with this subject (a `pki.name_key`), oldest first."""
        return [_ca(row) for row in tx.all(_OF_SUBJECT, account_=account, subject_=subject)]

    def anywhere(self, tx: Tx, subject: str) -> Sequence[tuple[str, CaCertificate]]:
        """Answer (account, CA certificate) for every account that has one with this subject."""
        return [(row.account, _ca(row)) for row in tx.all(_ANYWHERE, subject_=subject)]

    def proved_elsewhere(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether another account has this CA in DEFAULT mode."""
        return tx.one(_ELSEWHERE, account_=account, id_=certificate_id) is not None

    def proved_signer(self, tx: Tx, certificate: x509.Certificate) -> str | None:
        """Answer the account whose CA, in DEFAULT mode, signed the certificate, or None."""
        found = self.anywhere(tx, name_key(certificate.issuer))
        return next((account for account, ca in found if not ca.sni_only and ca.signed(certificate)), None)

    def use_template(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether a CA certificate of the account has its devices provisioned by this template."""
        return tx.one(_USES_TEMPLATE, account_=account, template_=name) is not None

    def add(self, tx: Tx, account: str, ca: CaCertificate) -> None:
        tx.run(_INSERT, account=account, id=ca.id, pem=ca.pem, subject=ca.subject, mode=ca.mode.value, **_columns(ca))

    def put(self, tx: Tx, account: str, ca: CaCertificate) -> None:
        tx.run(_UPDATE, account_=account, id_=ca.id, **_columns(ca))

    def remove(self, tx: Tx, account: str, certificate_id: str) -> None:
        tx.run(_DELETE, account_=account, id_=certificate_id)

    def list(
        self,
        tx: Tx,
        account: str,
        *,
        after: tuple[Any, ...],
        limit: int,
        ascending: bool = False,
        template: str | None = None,
    ) -> Sequence[CaCertificate]:
        """Answer them, newest first unless `ascending`, those after (created_at, id); () is the beginning.

        With a template only those that provision by it.
        """
        values: dict[str, Any] = {"account_": account, "limit_": limit, "template_": template or ""}
        statement: Any = _OLDEST if ascending else _NEWEST
        if after:
            statement = _OLDEST_AFTER if ascending else _NEWEST_AFTER
            values |= {"at": after[0], "after": after[1]}
        return [_ca(row) for row in tx.all(statement, **values)]

    def anchors(self, tx: Tx) -> Sequence[tuple[str, str, str]]:
        """Answer (account, id, PEM) of every CA certificate, which listeners trust whatever its status is."""
        return [(row.account, row.id, row.pem) for row in tx.all(_ALL)]


class RegistrationCodeStore:
    """Registration codes in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str) -> str | None:
        """Answer the account's registration code, or None."""
        row = tx.one(_CODE, account_=account)
        return None if row is None else str(row.code)

    def add(self, tx: Tx, account: str, code: str) -> None:
        tx.run(_ADD_CODE, account=account, code=code)

    def remove(self, tx: Tx, account: str) -> None:
        tx.run(_DELETE_CODE, account_=account)


def _columns(ca: CaCertificate) -> dict[str, Any]:
    provisioning = ca.provisioning
    return {
        "template_name": None if provisioning is None else provisioning.template,
        "template_body": None if provisioning is None else provisioning.body,
        "template_role": None if provisioning is None else provisioning.role_arn,
        "status": ca.status.value,
        "auto_registration": ca.auto_registration,
        "generation": ca.generation,
        "version": ca.version,
        "not_before": ca.not_before,
        "not_after": ca.not_after,
        "created_at": ca.created_at,
        "updated_at": ca.updated_at,
    }


def _ca(row: Row[Any]) -> CaCertificate:
    by_template = row.template_name is not None or row.template_body is not None
    return CaCertificate(
        id=row.id,
        pem=row.pem,
        subject=row.subject,
        status=CaStatus(row.status),
        mode=CaMode(row.mode),
        auto_registration=bool(row.auto_registration),
        generation=row.generation,
        version=row.version,
        not_before=row.not_before,
        not_after=row.not_after,
        created_at=row.created_at,
        updated_at=row.updated_at,
        provisioning=(
            Provisioning(template=row.template_name, body=row.template_body, role_arn=row.template_role)
            if by_template
            else None
        ),
    )
