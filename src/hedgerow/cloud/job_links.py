"""How jobs reach S3: links signed in a job's role, and documents read with the rights of who makes the job."""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlsplit

from hedgerow.cloud.function_roles import Mint, Roles
from hedgerow.cloud.rights import CallerRights
from hedgerow.cloud.service_roles import IOT, trusts_service
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.wire import HttpRequest
from hedgerow.core.wire.sigv4 import presign
from hedgerow.services.s3.objects import ObjectFlows, ObjectStore
from hedgerow.services.sts.sessions import Mandate, SessionKind
from hedgerow.services.sts.sessions.model import assumed_role_arn
from hedgerow.store import Run, Tx

SESSION: Final = "iot-jobs"
SHORTEST_S: Final = 900.0


class RoleSigner:
    """Signs links with credentials of a role."""

    def __init__(
        self, *, credentials: tuple[str, str, str], base: str, region: str, now: float, expires_s: int
    ) -> None:
        self._credentials = credentials
        self._base = urlsplit(base)
        self._region = region
        self._now = now
        self._expires_s = expires_s

    def link(self, bucket: str, key: str) -> str:
        access_key_id, secret, token = self._credentials
        path = quote(f"/{bucket}/{key}", safe="/~")
        query = presign(
            HttpRequest(method="GET", path=path, query="", headers={"host": self._base.netloc}),
            access_key_id=access_key_id,
            secret=secret,
            token=token,
            region=self._region,
            service="s3",
            now=self._now,
            expires_s=self._expires_s,
        )
        return f"{self._base.scheme}://{self._base.netloc}{path}?{query}"


class JobLinks:
    """Fills the port `Links` of jobs: links lead to the devices' HTTPS port."""

    def __init__(self, *, roles: Roles, mint: Mint, endpoint: Callable[[], str], region: str) -> None:
        self._roles = roles
        self._mint = mint
        self._endpoint = endpoint
        self._region = region

    def own(self, host: str) -> bool:
        return host == urlsplit(self._endpoint()).netloc

    def usable(self, tx: Tx, account: str, role_arn: str) -> bool:
        role = self._roles.by_arn(tx, account, role_arn)
        return role is not None and trusts_service(role.trust, account, IOT, source=self._source(account), now=tx.now)

    def _source(self, account: str) -> str:
        """Answer for what AWS IoT signs: some job of the account, whose id is not known here."""
        return arn("iot", self._region, account, "job/*")

    def maybe_signer(self, tx: Tx, account: str, role_arn: str, *, expires_s: int) -> RoleSigner | None:
        role = self._roles.by_arn(tx, account, role_arn)
        if role is None or not trusts_service(role.trust, account, IOT, source=self._source(account), now=tx.now):
            return None
        mandate = Mandate(
            kind=SessionKind.ROLE,
            principal=assumed_role_arn(account, role.name, SESSION),
            name=role.name,
            identity=f"{role.id}:{SESSION}",
        )
        session = self._mint.create(tx, account, mandate, max(SHORTEST_S, float(expires_s)))
        return RoleSigner(
            credentials=(session.access_key_id, session.secret, session.token),
            base=self._endpoint(),
            region=self._region,
            now=tx.now,
            expires_s=expires_s,
        )


class JobObjects:
    """Fills the port `Objects` of jobs."""

    def __init__(self, *, run: Run, objects: ObjectFlows, rights: CallerRights) -> None:
        self._run = run
        self._store = ObjectStore()
        self._objects = objects
        self._rights = rights

    async def read(self, caller: Caller, bucket: str, key: str, *, most: int) -> bytes | None:
        await self._rights.demand(caller, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")
        found = await self._run.read(lambda tx: self._store.get(tx, caller.account, bucket, key))
        if found is not None and found.size > most:
            return None
        return await self._objects.read(caller.account, bucket, key)
