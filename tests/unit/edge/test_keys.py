"""Where keys stand: what is made in a token is known before, and only that is ever removed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hedgerow.base.files import RealFiles
from hedgerow.edge.keys import Keys
from hedgerow.edge.pkcs11.uri import Pkcs11Uri
from hedgerow.edge.state import State
from hedgerow.edge.trouble import Trouble

THEIRS, OURS = Pkcs11Uri(object="theirs"), Pkcs11Uri(object="ours")


class Drawer:
    """A token as a dict of keys."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"theirs": ec.generate_private_key(ec.SECP256R1())}
        self.fails = False

    def maybe_key(self, uri: Pkcs11Uri) -> Any:
        return self.keys.get(uri.object)

    def key(self, uri: Pkcs11Uri) -> Any:
        if uri.object not in self.keys:
            raise Trouble(f"no {uri}")
        return self.keys[uri.object]

    def made(self, uri: Pkcs11Uri) -> Any:
        self.keys[uri.object] = ec.generate_private_key(ec.SECP256R1())
        if self.fails:
            raise Trouble("pulled out")
        return self.keys[uri.object]

    def remove(self, uri: Pkcs11Uri) -> None:
        if self.fails:
            raise Trouble("pulled out")
        del self.keys[uri.object]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    made = State(tmp_path / "state.db")
    yield made
    made.close()


def keys_of(state: State, token: Drawer | None) -> Keys:
    return Keys(files=RealFiles(), state=state, folder=Path("/unused"), token=cast("Any", token))


def test_a_key_that_others_put_there_is_used_and_never_removed(state: State) -> None:
    drawer = Drawer()
    keys = keys_of(state, drawer)

    found = asyncio.run(keys.key(THEIRS))
    asyncio.run(keys.done_with(THEIRS))
    asyncio.run(keys.tidy([]))

    assert found is drawer.keys["theirs"]


def test_a_key_that_is_made_here_is_removed_when_it_is_not_in_use_any_more(state: State) -> None:
    drawer = Drawer()
    keys = keys_of(state, drawer)
    made = asyncio.run(keys.key(OURS))

    assert asyncio.run(keys.key(OURS)) is made
    asyncio.run(keys.tidy([OURS]))
    assert set(drawer.keys) == {"theirs", "ours"}
    asyncio.run(keys.tidy([THEIRS, Path("/file")]))
    assert set(drawer.keys) == {"theirs"}
    drawer.made(OURS)  # by somebody else, later
    asyncio.run(keys.tidy([]))
    assert set(drawer.keys) == {"theirs", "ours"}


def test_a_key_whose_making_was_cut_is_known_and_one_whose_removal_fails_stays_known(state: State) -> None:
    drawer = Drawer()
    drawer.fails = True
    with pytest.raises(Trouble):
        asyncio.run(keys_of(state, drawer).key(OURS))
    asyncio.run(keys_of(state, drawer).tidy([]))
    assert set(drawer.keys) == {"theirs", "ours"}

    drawer.fails = False
    asyncio.run(keys_of(state, drawer).tidy([]))

    assert set(drawer.keys) == {"theirs"}


def test_a_key_that_must_be_there_is_not_made(state: State, tmp_path: Path) -> None:
    drawer = Drawer()
    keys = keys_of(state, drawer)

    with pytest.raises(Trouble, match="no pkcs11:object=ours"):
        asyncio.run(keys.key(OURS, make=False))
    with pytest.raises(Trouble, match="there is no private key"):
        asyncio.run(keys.key(tmp_path / "none.key", make=False))

    assert set(drawer.keys) == {"theirs"}
    assert not (tmp_path / "none.key").exists()


def test_a_key_in_a_token_needs_one(state: State) -> None:
    with pytest.raises(Trouble, match="is not in the configuration"):
        asyncio.run(keys_of(state, None).key(OURS))
