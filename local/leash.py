"""Become the program that a JSON file describes, and end when the process that started us ends.

Run as a script by the process manager. The file holds ``command``, ``env``, ``directory`` and, for a program that must
not run as root, ``user`` (uid and gid); ``signal`` is what asks it to stop. Secrets stay in the file and never appear in a
command line. On Linux the kernel sends the signal when the process manager dies, however it dies.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Read the file that is the only argument and replace this process."""
    parent = os.getppid()
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs more than all the rest
        program = json.load(file)
    if program.get("user"):
        uid, gid = program["user"]
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.chdir(program["directory"])
    if sys.platform == "linux":
        # After the change of user, which would clear it; exec keeps it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, program["signal"], 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the process manager is gone")
    os.execve(program["command"][0], program["command"], program["env"])  # noqa: S606


if __name__ == "__main__":
    main()
