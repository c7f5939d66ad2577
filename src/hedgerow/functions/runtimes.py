"""Which runtimes this host has, and how each is started.

Python: the interpreter of that very version, with AWS's `awslambdaric` where it fits that interpreter, else with our
own client (`ric.py`). The interpreter sees the function's folder, the standard library and a folder of links to the
client and the AWS SDK, as on AWS; never Hedgerow's site-packages. Node: of that major version, with AWS's
`aws-lambda-ric` when it is installed on the host, else with our own client (`ric.mjs`). `provided*` and the executables
of Greengrass: any host. What is not here is refused by name, with what is.
Spec: the commands of AWS's runtime interface clients; `bootstrap` of the custom runtimes.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from hedgerow.functions.errors import InvalidEntrypoint, RuntimeNotHere
from hedgerow.functions.folders import make_passable, make_readable
from hedgerow.functions.model import FunctionSpec
from hedgerow.functions.process import Command

EXECUTABLE: Final = "arn:aws:greengrass:::runtime/function/executable"
CUSTOM: Final = ("provided", "provided.al2", "provided.al2023")
PYTHONS: Final = tuple(f"python3.{minor}" for minor in range(8, 16))
_PROBE_S: Final = 10.0
_PYTHON_PROBE: Final = "import sys; print(sys.executable); print('python%d.%d' % sys.version_info[:2])"
_NODE_MODULES: Final = ("/usr/local/lib/node_modules", "/usr/lib/node_modules")
_SDK_SINCE: Final = (3, 10)  # older interpreters cannot read the installed SDK


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a function is started: its command, and what its runtime needs in the environment."""

    command: Command
    environment: dict[str, str]


class Runtimes:
    """The runtimes of this host. `folder` keeps the links that interpreters are given; it can be deleted at any time.

    Looking for interpreters starts processes: call from a thread, once (`available`); later calls answer at once.
    """

    def __init__(self, folder: Path, *, path: str | None = None, copy: bool = False, aws_client: bool = True) -> None:
        self._folder = folder
        self._path = path
        self._copy = copy  # instead of links: for instances of another user, who cannot follow links into our home
        self._aws_client = aws_client
        self._found: dict[str, str] | None = None
        self._supports: dict[str, Path] = {}
        self._making = threading.Lock()  # instances start in threads, many at once when something new is deployed

    @property
    def is_known(self) -> bool:
        """Whether the host was looked through: `available` and `require` then answer at once."""
        return self._found is not None

    def available(self) -> dict[str, str]:
        """Answer each runtime that this host has, and the executable behind it."""
        if self._found is None:
            found = dict.fromkeys((*CUSTOM, EXECUTABLE), "")
            own = f"python3.{sys.version_info.minor}"
            base = getattr(sys, "_base_executable", "") or sys.executable
            for name in PYTHONS:
                usable = name == own and (not self._copy or _is_open_to_all(base))
                executable = base if usable else _probe_python(name, self._path, for_all=self._copy)
                if executable:
                    found[name] = executable
            found.update(_probe_node(self._path))
            self._found = found
        return self._found

    def require(self, runtime: str) -> str:
        """Answer the executable behind a runtime; raise RuntimeNotHere with what this host has."""
        found = self.available()
        if runtime not in found:
            names = ", ".join(sorted(name for name in found if name != EXECUTABLE))
            raise RuntimeNotHere(f"this host cannot run {runtime}; it has {names}")
        return found[runtime]

    def launch(self, spec: FunctionSpec) -> Launch:
        """Answer how to start this function. Raises RuntimeNotHere and InvalidEntrypoint."""
        executable = self.require(spec.runtime)
        if spec.runtime.startswith("python"):
            return self._python(spec, executable)
        if spec.runtime.startswith("nodejs"):
            return self._node(spec, executable)
        name = spec.handler if spec.runtime == EXECUTABLE else "bootstrap"
        program = spec.code / name
        if not program.is_file() or not program.stat().st_mode & 0o111:
            raise InvalidEntrypoint(f"Couldn't find valid bootstrap(s): [{program}]")
        return Launch(command=Command(argv=(str(program),), reads=(spec.code,)), environment={})

    def _python(self, spec: FunctionSpec, executable: str) -> Launch:
        version = tuple(int(part) for part in spec.runtime.removeprefix("python").split("."))
        support = self._support(spec.runtime, version)
        flags = ("-s", "-B") if spec.system_packages else ("-s", "-S", "-B")
        client = support / "ric.py"
        if (support / "awslambdaric").exists():
            argv = (executable, *flags, "-m", "awslambdaric", spec.handler)
        else:
            argv = (executable, *flags, str(client), spec.handler)
        paths = [str(support), *filter(None, [spec.environment.get("PYTHONPATH", "")])]
        links = [entry.resolve() for entry in support.iterdir() if entry.is_symlink()]
        return Launch(
            command=Command(argv=argv, reads=(spec.code, support, *links, *_parts_of(executable))),
            environment={"AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}", "PYTHONPATH": ":".join(paths)},
        )

    def _node(self, spec: FunctionSpec, executable: str) -> Launch:
        places = [Path(place, "aws-lambda-ric", "bin", "index.mjs") for place in _NODE_MODULES if self._aws_client]
        client = next((place for place in places if place.is_file()), None)
        if client is None:
            with self._making:
                client = self._own_node_client()
        # Node reserves far more than it uses, and bounds its heap itself.
        heap = f"--max-old-space-size={spec.memory_mb}"
        reads = (spec.code, client.parent.parent, *_parts_of(executable))
        command = Command(argv=(executable, heap, str(client), spec.handler), bound_memory=False, reads=reads)
        return Launch(command=command, environment={"AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}"})

    def _own_node_client(self) -> Path:
        ours = Path(__file__).with_name("ric.mjs")
        client = self._folder / f"nodejs-{_mark(ours, [])}" / "ric.mjs"
        make_passable(client.parent)
        if not client.exists():
            unfinished = client.with_name(f"{os.getpid()}.unfinished")
            shutil.copyfile(ours, unfinished)
            unfinished.rename(client)
        return client

    def _support(self, runtime: str, version: tuple[int, ...]) -> Path:
        """Answer the folder that an interpreter finds the client and the SDK in; made at its first use.

        Its name changes with what is in it, so that an upgrade of ours makes a new one.
        """
        with self._making:
            if runtime not in self._supports:
                self._supports[runtime] = self._made_support(runtime, version)
            return self._supports[runtime]

    def _made_support(self, runtime: str, version: tuple[int, ...]) -> Path:
        wanted = ["boto3"] if version >= _SDK_SINCE else []
        if version == sys.version_info[:2] and self._aws_client:
            wanted.append("awslambdaric")
        client = Path(__file__).with_name("ric.py")
        sources = [path for name in wanted for path in _files_of(name)]
        mark = _mark(client, [*map(str, sources), *(f"{name} {_version_of(name)}" for name in wanted)])
        folder = self._folder / f"{runtime}-{mark}"
        if not (folder / ".made").exists():
            shutil.rmtree(folder, ignore_errors=True)  # a crash left a part of it
            make_passable(folder)
            for source in sources:
                _put(source, folder / source.name, copy=self._copy)
            shutil.copyfile(client, folder / "ric.py")
            make_readable(folder)
            (folder / ".made").touch()
        return folder


def _parts_of(executable: str) -> tuple[Path, ...]:
    """Answer what a program reads of its own: itself, and the libraries of where it is installed."""
    found = Path(executable)
    homes = [place.parent.parent for place in (found, found.resolve())]
    return (found, *(home / name for home in homes for name in ("lib", "lib64")))


def _mark(client: Path, parts: list[str]) -> str:
    return hashlib.sha256("\n".join([client.read_text("utf-8"), *parts]).encode()).hexdigest()[:16]


def _version_of(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _put(source: Path, target: Path, *, copy: bool) -> None:
    if target.is_symlink() or target.exists():
        return  # two distributions may share a folder
    if not copy:
        target.symlink_to(source)
    elif source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)


def _files_of(distribution: str, seen: set[str] | None = None) -> list[Path]:
    """Answer the top-level modules of an installed distribution and of all that it requires; [] when one is missing."""
    seen = set() if seen is None else seen
    seen.add(distribution.lower())
    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return []
    tops = {file.parts[0] for file in found.files or ()}
    skipped = {"..", "__pycache__"}
    paths = [Path(str(found.locate_file(top))) for top in sorted(tops - skipped) if not top.endswith(".dist-info")]
    for requirement in found.requires or ():
        name = re.match(r"[A-Za-z0-9_.-]+", requirement)
        if name is None or "extra ==" in requirement or name[0].lower() in seen:
            continue
        paths.extend(_files_of(name[0], seen))
    return [path for path in paths if path.exists()]


def _run(argv: list[str]) -> list[str]:
    try:
        done = subprocess.run(argv, capture_output=True, timeout=_PROBE_S, check=True, text=True)  # noqa: S603  # no shell
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.split("\n")


def _is_open_to_all(program: str) -> bool:
    """Tell whether any user can reach and run a program: ours may stand in a home folder."""
    real = Path(program).resolve()
    return all(place.stat().st_mode & 0o001 for place in (real, *real.parents))


def _probe_python(name: str, path: str | None, *, for_all: bool) -> str | None:
    """Answer the real executable: what is found on PATH may be a shim for a version that is not installed.

    `for_all`: one that any user can run, wherever on PATH it stands.
    """
    places = os.pathsep.join(os.get_exec_path() if path is None else [path])
    for place in places.split(os.pathsep) if for_all else [places]:
        found = shutil.which(name, path=place)
        lines = _run([found, "-I", "-S", "-c", _PYTHON_PROBE]) if found else []
        if lines[1:2] == [name] and (not for_all or _is_open_to_all(lines[0])):
            return lines[0]
    return None


def _probe_node(path: str | None) -> dict[str, str]:
    node = shutil.which("node", path=path)
    major = re.match(r"v(\d+)\.", "".join(_run([node, "--version"])[:1])) if node else None
    return {f"nodejs{major[1]}.x": node} if node and major else {}
