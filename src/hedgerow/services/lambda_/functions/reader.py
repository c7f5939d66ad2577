"""How others look a version up: by ARN or name, with a version's number, `$LATEST` or an alias."""

from hedgerow.core.caller import Caller
from hedgerow.services.lambda_.functions.errors import FunctionNotFound, InvalidParameter
from hedgerow.services.lambda_.functions.model import LATEST, Named, Version, named_by, read_name
from hedgerow.services.lambda_.functions.ports import Aliases
from hedgerow.services.lambda_.functions.store import FunctionStore
from hedgerow.store import Tx


class FunctionReader:
    """Reads versions for operations of this subject and of others."""

    def __init__(self, *, aliases: Aliases, region: str) -> None:
        self._aliases = aliases
        self._region = region
        self._store = FunctionStore()

    def version(self, tx: Tx, account: str, arn: str) -> Version | None:
        """Answer the version that an ARN (or a name in any form) stands for, None when the account has none such."""
        try:
            named = read_name(arn, account, self._region)
        except FunctionNotFound:
            return None
        return self.named(tx, named)

    def named(self, tx: Tx, named: Named, *, chance: float = 0.0) -> Version | None:
        """Answer the version; no qualifier means `$LATEST`, an alias is followed."""
        wanted = named.qualifier or LATEST
        if wanted != LATEST and not wanted.isdigit():
            resolved = self._aliases.resolve(tx, named.account, named.name, wanted, chance=chance)
            if resolved is None:
                return None
            wanted = resolved
        return self._store.get(tx, named.account, named.name, wanted)

    def must(self, tx: Tx, named: Named, *, chance: float = 0.0) -> Version:
        """Answer the version or raise FunctionNotFound."""
        found = self.named(tx, named, chance=chance)
        if found is None:
            raise FunctionNotFound(named.arn)
        return found

    def read(self, text: str, caller: Caller) -> tuple[str, str]:
        """Answer a function's plain name and unqualified ARN, for what belongs to it as a whole."""
        named = named_by(caller, text)
        if named.qualifier:
            raise InvalidParameter(f"{text} must name a function without a qualifier")
        return named.name, named.arn

    def must_be_there(self, tx: Tx, text: str, qualifier: str | None, caller: Caller) -> tuple[str, str, str]:
        """Answer plain name, qualifier ("" for none) and ARN of a function, version or alias that is there."""
        named = named_by(caller, text, qualifier)
        self.must(tx, named)
        return named.name, named.qualifier, named.arn

    def exists(self, tx: Tx, account: str, name: str, version: str = LATEST) -> bool:
        """Tell whether there is this version (a number or `$LATEST`)."""
        return self._store.get(tx, account, name, version) is not None

    def digests(self, tx: Tx, account: str) -> set[str]:
        """Answer the blobs that the account's versions name, for sweeping the others."""
        return self._store.digests(tx, account)
