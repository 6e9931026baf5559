"""Become another program that cannot outlive its parent. Run as a script, never imported: it must start without our packages.

    python -I -S launch.py SIGNAL PARENT_PID UID GID PROGRAM [ARGUMENT…]

The kernel sends SIGNAL to the program when the parent dies, however it dies (prctl(2), PR_SET_PDEATHSIG). The setting is lost
when credentials change, so the user is switched first; UID -1 keeps the user. A script of its own instead of `preexec_fn`,
which is not safe in a process with threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(signal_number: int, parent: int, uid: int, gid: int, *command: str) -> None:
    """Switch the user when asked, tie ourselves to the parent, and become the program."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:  # it died before we were tied to it
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    death_signal, parent_pid, user_id, group_id = map(int, sys.argv[1:5])
    main(death_signal, parent_pid, user_id, group_id, *sys.argv[5:])
