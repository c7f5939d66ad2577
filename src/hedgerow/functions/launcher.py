"""Started by its path in the instance's process: it takes rights away and then becomes the function's runtime.

Imports nothing but the standard library, and little of it, because each start of a function waits for it: it is run
with `-I -S` by an interpreter that must not see Hedgerow. Arguments: our process id, user id and group id ("-" for
ours), limits (`RLIMIT_NOFILE=1024,…`), what it sees of the file system ("-" for all of it, else lines `r<place>` and
`w<place>`, and `t<folder>` for what is its own /tmp), then the command. What it cannot do is not hidden: it ends with
126 and a line on the output.
Spec: Landlock, kernel documentation (userspace API); mount_namespaces(7), user_namespaces(7).
"""

import _ctypes  # what `ctypes` is made of, for a third of its time
import _signal  # type: ignore[import-not-found]  # what `signal` is made of, without the cost of enum
import os
import resource
import stat
import struct
import sys

PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # numbers of system calls, the same on every architecture
VERSION = 1  # flag: answer the version
BENEATH = 1  # type of a rule: a place with all that is below it
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many each version of Landlock knows; later ones 16
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_BLOCK, TRUNCATE, IOCTL = 1 << 6, 1 << 11, 1 << 14, 1 << 15
READ = EXECUTE | READ_FILE | READ_DIR
WRITE = (1 << 16) - 1 & ~(MAKE_CHAR | MAKE_BLOCK | IOCTL)
DEVICE = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL
SCOPED = 0b11  # abstract sockets and signals stay within
CLONE_NEWNS, CLONE_NEWUSER = 1 << 17, 1 << 28
MS_BIND, MS_REC, MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18
TEMPORARY = "/tmp"  # noqa: S108  # of AWS's functions


class Long(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001
    _type_ = "l"


class Call(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = Long


LIBC = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # what is loaded already
PRCTL, SYSCALL, MOUNT, UNSHARE = (Call(_ctypes.dlsym(LIBC, name)) for name in ("prctl", "syscall", "mount", "unshare"))


def prctl(option: int, value: int) -> None:
    if PRCTL(option, Long(value), Long(0), Long(0), Long(0)) != 0:
        raise OSError(_ctypes.get_errno(), f"prctl({option})")


def landlock_abi() -> int:
    """Answer which version of Landlock this kernel has, 0 for none."""
    return max(0, int(SYSCALL(Long(CREATE_RULESET), None, Long(0), VERSION)))


def landlock(call: int, *arguments: object) -> int:
    answer: int = SYSCALL(Long(call), *arguments)
    if answer < 0:
        raise OSError(_ctypes.get_errno(), f"Landlock ({call})")
    return answer


def mount(source: str, target: str, flags: int) -> None:
    if MOUNT(source.encode(), target.encode(), None, Long(flags), None) != 0:
        raise OSError(_ctypes.get_errno(), f"mount {target}")


def leave_mounts() -> None:
    """Mounts are our own from here on. Who is not root may do so in a user namespace, until it starts a program."""
    if UNSHARE(CLONE_NEWNS) != 0:
        uid, gid = os.getuid(), os.getgid()
        if UNSHARE(CLONE_NEWUSER | CLONE_NEWNS) != 0:
            raise OSError(_ctypes.get_errno(), "unshare")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    mount("none", "/", MS_REC | MS_PRIVATE)


def own_temporary(scratch: str, places: list[str]) -> None:
    """Make the scratch folder /tmp. Places that are needed and lie in the host's /tmp stay where they are."""
    here = os.getcwd()
    os.umask(0o022)  # the folders around those places may be another user's to pass
    leave_mounts()
    kept = [(place, os.open(place, os.O_PATH)) for place in sorted(places) if place.startswith(TEMPORARY + "/")]
    mount(scratch, TEMPORARY, MS_BIND)
    for place, number in kept:
        if os.path.exists(place) and os.path.samestat(os.stat(place), os.stat(number)):
            continue  # it came with one around it
        if stat.S_ISDIR(os.stat(number).st_mode):
            os.makedirs(place, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o600))
        mount(f"/proc/self/fd/{number}", place, MS_BIND)
    for _, number in kept:
        os.close(number)
    os.chdir(here)


def confine(places: list[str]) -> None:
    """Close the file system but for these places. Who runs as root has nothing that only root may, either."""
    abi = landlock_abi()
    known = (1 << RIGHTS.get(abi, 16)) - 1
    attributes = struct.pack("=QQQ", known, 0, SCOPED if abi >= 6 else 0)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    ruleset = landlock(CREATE_RULESET, attributes, Long(len(attributes)), 0)
    for line in places:
        place = os.open(line[1:], os.O_PATH | os.O_CLOEXEC)
        mode = os.stat(place).st_mode
        rights = READ if line[0] == "r" else WRITE
        if stat.S_ISCHR(mode):
            rights = DEVICE & ~(WRITE_FILE | TRUNCATE) if line[0] == "r" else DEVICE
        rights &= known if stat.S_ISDIR(mode) else known & OF_FILES
        landlock(ADD_RULE, ruleset, BENEATH, struct.pack("=Qi", rights, place), 0)
        os.close(place)
    landlock(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def drop_capabilities() -> None:
    """No program that is started from here on gets any, not even as root."""
    with open("/proc/sys/kernel/cap_last_cap") as file:  # pathlib would cost each start its import
        last = int(file.read())
    try:
        for capability in range(last + 1):
            prctl(PR_CAPBSET_DROP, capability)
    except PermissionError:
        return  # a root without CAP_SETPCAP has what its container left it


def main(argv: list[str]) -> None:
    parent, uid, gid, limits, view = argv[1:6]
    for limit in limits.split(","):
        name, _, value = limit.partition("=")
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        bound = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(kind, (bound, bound))
    places = [] if view == "-" else view.split("\n")
    for line in [line for line in places if line[0] == "t"]:
        places.remove(line)
        own_temporary(line[1:], [place[1:] for place in places])
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if places and os.geteuid() == 0:
        drop_capabilities()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_PDEATHSIG, _signal.SIGKILL)  # after setuid, which would clear it
    if os.getppid() != int(parent):
        sys.exit(125)  # the parent died before the line above
    os.umask(0o077)
    for number in (_signal.SIGPIPE, _signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, _signal.SIG_DFL)
    if places:
        confine(places)
    os.execv(argv[6], argv[6:])  # noqa: S606  # the command comes from the driver


if __name__ == "__main__":
    try:
        main(sys.argv)
    except OSError as error:
        os.write(2, f"the function's process could not be started: {error}\n".encode())
        sys.exit(126)
