"""Started by its path in the instance's process: it takes rights away and then becomes the function's runtime.

Imports nothing but the standard library: it is run with `-I -S` by an interpreter that must not see Hedgerow.
Arguments: a JSON object (parent, uid, gid, limits), then the command. What it cannot do is not hidden: it ends with
126 and a line on the output.
"""

import ctypes
import json
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def main(argv: list[str]) -> None:
    wanted = json.loads(argv[1])
    for name, value in wanted["limits"].items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))
    if wanted["uid"] is not None:
        os.setgroups([])
        os.setgid(wanted["gid"])
        os.setuid(wanted["uid"])
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after setuid, which would clear it
    if os.getppid() != wanted["parent"]:
        sys.exit(125)  # the parent died before the line above
    os.umask(0o077)
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.execv(argv[2], argv[2:])  # noqa: S606  # the command comes from the driver


if __name__ == "__main__":
    try:
        main(sys.argv)
    except OSError as error:
        os.write(2, f"the function's process could not be started: {error}\n".encode())
        sys.exit(126)
