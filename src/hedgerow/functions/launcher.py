"""Started by its path in the instance's process: it takes rights away and then becomes the function's runtime.

Imports nothing but the standard library, and little of it, because each start of a function waits for it: it is run
with `-I -S` by an interpreter that must not see Hedgerow. Arguments: our process id, user id and group id ("-" for
ours), limits (`RLIMIT_NOFILE=1024,…`), then the command. What it cannot do is not hidden: it ends with 126
and a line on the output.
"""

import _signal  # type: ignore[import-not-found]  # what `signal` is made of, without the cost of enum
import ctypes
import os
import resource
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def main(argv: list[str]) -> None:
    parent, uid, gid, limits = argv[1:5]
    for limit in limits.split(","):
        name, _, value = limit.partition("=")
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        bound = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(kind, (bound, bound))
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_PDEATHSIG, _signal.SIGKILL)  # after setuid, which would clear it
    if os.getppid() != int(parent):
        sys.exit(125)  # the parent died before the line above
    os.umask(0o077)
    for number in (_signal.SIGPIPE, _signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, _signal.SIG_DFL)
    os.execv(argv[5], argv[5:])  # noqa: S606  # the command comes from the driver


if __name__ == "__main__":
    try:
        main(sys.argv)
    except OSError as error:
        os.write(2, f"the function's process could not be started: {error}\n".encode())
        sys.exit(126)
