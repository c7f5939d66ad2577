"""Keeps the indexes: a change of what is indexed writes a follow-up, which writes the document anew.

Other subjects call `changed` and `group_changed` in their own transaction; an index that is off costs them one look-up.
An index that is turned on is first emptied, then filled, some rows at a time; one that is set up otherwise is written
anew while it goes on answering.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hedgerow.services.iot.fleet_index.documents import Followers, Groups, Sources, Things, group_document
from hedgerow.services.iot.fleet_index.model import GROUPS, THINGS, Document, Setup, Status
from hedgerow.services.iot.fleet_index.store import FleetIndexStore
from hedgerow.store import Tx

CHANGED: Final = "fleet-index"
BUILD: Final = "fleet-index-build"
CLEAR: Final = "clear"
FILL: Final = "fill"
AT_ONCE: Final = 25
"""Documents in one transaction of a build: a few milliseconds."""


class Announcing:
    """What other subjects tell of. It holds no state."""

    def __init__(self, *, store: FleetIndexStore) -> None:
        self._store = store

    def changed(self, tx: Tx, account: str, thing: str, *, shadow: str | None = None) -> None:
        """Something that is indexed of the thing has changed: of the registry, or its shadow of that name."""
        if self._store.setup(tx, account, THINGS).about(shadow):
            tx.follow_up(CHANGED, account=account, key=f"{THINGS}/{thing}", body={"index": THINGS, "name": thing})

    def connectivity_changed(self, tx: Tx, account: str, thing: str) -> None:
        """The thing was connected or disconnected."""
        if self._store.connectivity_on(tx, account):
            tx.follow_up(CHANGED, account=account, key=f"{THINGS}/{thing}", body={"index": THINGS, "name": thing})

    def group_changed(self, tx: Tx, account: str, group: str) -> None:
        """A thing group was made, changed or deleted."""
        if self._store.setup(tx, account, GROUPS).on:
            tx.follow_up(CHANGED, account=account, key=f"{GROUPS}/{group}", body={"index": GROUPS, "name": group})


class Indexing:
    """Writes documents."""

    def __init__(
        self,
        *,
        store: FleetIndexStore,
        things: Things,
        groups: Groups,
        sources: Sources,
        followers: Followers,
    ) -> None:
        self._store = store
        self._things = things
        self._groups = groups
        self._sources = sources
        self._followers = followers

    def begin(self, tx: Tx, account: str, setup: Setup) -> None:
        """The index is set up otherwise from now on: build it."""
        self._store.put_setup(tx, account, setup)
        self._go_on(tx, account, setup, FILL if setup.status is Status.REBUILDING else CLEAR)

    def write(self, tx: Tx, account: str, index: str, names: Sequence[str]) -> None:
        """Write the documents as things are now, or take them out; each name once, 500 at most."""
        setup = self._store.setup(tx, account, index)
        if not setup.on:
            return
        documents = self._documents(tx, account, setup, names)
        self._store.remove(tx, account, index, sorted(set(names) - {document.name for document in documents}))
        changed = self._store.put(tx, account, index, documents)
        if changed and index == THINGS:
            self._followers.follow(tx, account, changed)

    def build(self, tx: Tx, account: str, index: str, *, generation: int, phase: str, after: str) -> None:
        """Do the next part of a build and see to the one after it; one that was overtaken by another setup ends."""
        setup = self._store.setup(tx, account, index)
        if setup.generation != generation:
            return
        if phase == CLEAR:
            if not self._store.clear(tx, account, index, most=AT_ONCE):
                self._go_on(tx, account, setup, CLEAR)
            elif setup.on:
                self._go_on(tx, account, setup, FILL)
            return
        names = self._names(tx, account, index, after)
        self.write(tx, account, index, names)
        if len(names) == AT_ONCE:
            self._go_on(tx, account, setup, FILL, names[-1])
        else:
            self._store.put_setup(tx, account, replace(setup, status=Status.ACTIVE))

    def _go_on(self, tx: Tx, account: str, setup: Setup, phase: str, after: str = "") -> None:
        body = {"index": setup.index, "generation": setup.generation, "phase": phase, "after": after}
        tx.follow_up(BUILD, account=account, key=setup.index, body=body)

    def _names(self, tx: Tx, account: str, index: str, after: str) -> list[str]:
        if index == GROUPS:
            return [group.name for group in self._groups.list(tx, account, after=after, limit=AT_ONCE)]
        return [thing.name for thing in self._things.list(tx, account, after=after, limit=AT_ONCE)]

    def _documents(self, tx: Tx, account: str, setup: Setup, names: Sequence[str]) -> Sequence[Document]:
        if setup.index == THINGS:
            return self._sources.documents(tx, account, setup, names)
        groups = (self._groups.get(tx, account, name) for name in names)
        return [group_document(group) for group in groups if group is not None]
