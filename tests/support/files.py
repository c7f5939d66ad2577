"""A disk that writes down each step, and the states in which a power cut may leave it.

The model is stricter than common file systems: what was written to a file and not synced may be gone or torn; a name
that was made, changed or removed in a folder that was not synced since may be as before; syncing a file says nothing
about its name. Changes of names that were not synced get lost from the end (`ext4` and others keep their order).

Use: give `RealFiles(RecordingDisk(root))` to the code, call `disk.acknowledge(what)` where a caller would be told, then
for each of `disk.power_cuts()` lay the tree out in a fresh folder and run the real start-up code on it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hedgerow.base.files import RealDisk

Tree = dict[str, bytes | None]
"""Path below the root, and the file's content; None for a folder."""


@dataclass(frozen=True)
class Cut:
    """What is on the medium after a power cut, and what was acknowledged before it."""

    tree: Tree
    acknowledged: tuple[str, ...]

    def lay_out(self, root: Path) -> Path:
        """Write the tree into a fresh folder."""
        root.mkdir(mode=0o700, parents=True)
        for name, content in sorted(self.tree.items()):
            path = root / name
            if content is None:
                path.mkdir(mode=0o700)
            else:
                path.write_bytes(content)
                path.chmod(0o600)
        return root


@dataclass(eq=False)
class _Node:
    """A file (`content`, of which the first `synced` bytes are on the medium) or a folder (`entries`)."""

    is_folder: bool
    content: bytes = b""
    synced: int = 0
    entries: dict[str, "_Node"] = field(default_factory=dict)


@dataclass
class _Naming:
    """A change of names in one folder that may still be lost."""

    folder: _Node
    apply: Callable[[dict[str, _Node]], None]


class RecordingDisk(RealDisk):
    """Does each step for real, below `root`, and can tell every state that a power cut may leave."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._top = _Node(is_folder=True)
        self._durable: dict[int, dict[str, _Node]] = {}  # folder → its names on the medium
        self._nodes: dict[int, _Node] = {}
        self._pending: list[_Naming] = []
        self._open: dict[int, _Node] = {}
        self._acknowledged: tuple[str, ...] = ()
        self._cuts: list[Cut] = []
        self._note()

    def acknowledge(self, what: str) -> None:
        """From here on a caller has been told that this is done."""
        self._acknowledged += (what,)
        self._note()

    def power_cuts(self) -> Iterator[Cut]:
        """Answer each different state, at each moment so far."""
        seen: set[tuple[tuple[tuple[str, bytes | None], ...], tuple[str, ...]]] = set()
        for cut in self._cuts:
            key = (tuple(sorted(cut.tree.items())), cut.acknowledged)
            if key not in seen:
                seen.add(key)
                yield cut

    def create(self, path: Path, mode: int) -> int:
        handle = super().create(path, mode)
        node = self._open[handle] = _Node(is_folder=False)
        self._named(path.parent, lambda names: names.update({path.name: node}))
        return handle

    def write(self, handle: int, data: bytes) -> None:
        super().write(handle, data)
        self._open[handle].content += data
        self._note()

    def sync(self, handle: int) -> None:
        super().sync(handle)
        node = self._open[handle]
        node.synced = len(node.content)
        self._note()

    def close(self, handle: int) -> None:
        super().close(handle)
        del self._open[handle]

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        node = self._at(source.parent).entries[source.name]

        def put(names: dict[str, _Node]) -> None:
            names[target.name] = node
            if source.parent == target.parent:
                names.pop(source.name, None)

        self._named(target.parent, put)
        if source.parent != target.parent:
            self._named(source.parent, lambda names: names.pop(source.name, None))

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self._named(path.parent, lambda names: names.pop(path.name, None))

    def mkdir(self, path: Path, mode: int) -> None:
        super().mkdir(path, mode)
        node = _Node(is_folder=True)
        self._named(path.parent, lambda names: names.update({path.name: node}))

    def rmdir(self, path: Path) -> None:
        super().rmdir(path)
        self._named(path.parent, lambda names: names.pop(path.name, None))

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        if path != self._root and self._root not in path.parents:
            return
        folder = self._at(path)
        self._pending = [naming for naming in self._pending if naming.folder is not folder]
        self._durable[id(folder)] = dict(folder.entries)
        self._note()

    def _at(self, path: Path) -> _Node:
        node = self._top
        for part in path.relative_to(self._root).parts:
            node = node.entries[part]
        return node

    def _named(self, parent: Path, apply: Callable[[dict[str, _Node]], object]) -> None:
        folder = self._at(parent)
        self._nodes[id(folder)] = folder  # keeps the id from being used again
        self._durable.setdefault(id(folder), dict(folder.entries))
        apply(folder.entries)
        self._pending.append(_Naming(folder, lambda names: (apply(names), None)[1]))
        self._note()

    def _note(self) -> None:
        for kept in range(len(self._pending) + 1):
            names = {folder: dict(entries) for folder, entries in self._durable.items()}
            for naming in self._pending[:kept]:
                naming.apply(names[id(naming.folder)])
            for torn in (lambda rest: 0, lambda rest: rest // 2, lambda rest: rest):
                tree: Tree = {}
                self._collect(self._top, "", names, torn, tree)
                self._cuts.append(Cut(tree, self._acknowledged))

    def _collect(
        self,
        folder: _Node,
        prefix: str,
        names: dict[int, dict[str, _Node]],
        torn: Callable[[int], int],
        tree: Tree,
    ) -> None:
        for name, node in names.get(id(folder), {}).items():
            if node.is_folder:
                tree[prefix + name] = None
                self._collect(node, f"{prefix}{name}/", names, torn, tree)
            else:
                rest = len(node.content) - node.synced
                tree[prefix + name] = node.content[: node.synced + torn(rest)]
