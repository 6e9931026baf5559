"""How the C library hands out memory. Source: mallopt(3)"""

import ctypes

M_ARENA_MAX = -8  # malloc.h


def share_one_arena() -> None:
    """Call before threads start: all threads of this process, and of those it forks, take their memory from one place.

    Left alone, glibc gives each thread an arena of its own, whose free pieces serve no other thread: 1 MB of a web worker. Python's lock
    lets one thread run at a time, so hardly any of them ever wait for each other here. Other C libraries have no such option.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option:
        set_option(M_ARENA_MAX, 1)
