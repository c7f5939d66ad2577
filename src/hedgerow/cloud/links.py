"""Links that anybody may follow for a while: presigned by the account's own key, at the device HTTPS port."""

from collections.abc import Callable

from hedgerow.base.errors import Unavailable
from hedgerow.services.iam.access_keys import AccessKeyReader, RootKeys
from hedgerow.services.lambda_.functions import Version
from hedgerow.services.s3.objects import ObjectFlows
from hedgerow.store import Run, Tx


class Signers:
    """Fills the port of S3: whose key signs, and at which URL devices and operators reach the API."""

    def __init__(self, *, run: Run, keys: AccessKeyReader, roots: RootKeys, endpoint: Callable[[], str]) -> None:
        self._run = run
        self._keys = keys
        self._roots = roots
        self.endpoint = endpoint

    async def signing_key(self, account: str) -> tuple[str, str]:
        """Answer access key id and secret of the account itself."""

        def query(tx: Tx) -> tuple[str, str]:
            identifier = self._roots.active(tx, account)
            found = None if identifier is None else self._keys.find(tx, identifier)
            if found is None:
                raise Unavailable(f"the account {account} has no active root key to sign links with")
            return found[0].id, found[1]

        return await self._run.read(query)


class FunctionLinks:
    """Fills the port of Lambda: where callers fetch a function's package."""

    def __init__(self, *, objects: ObjectFlows) -> None:
        self._objects = objects

    async def code_url(self, version: Version) -> str:
        """Answer a URL that works for ten minutes without further credentials."""
        return await self._objects.link_to_blob(
            version.account, version.code.digest, version.code.size, f"{version.name}.zip"
        )
