"""What Python's garbage collector is spared.

Source: https://docs.python.org/3/library/gc.html#gc.freeze
"""

import gc


def keep_what_is_loaded() -> None:
    """Call at the end of a process's start: what it loaded until now stays as long as the process does.

    The collector looks through every object again and again, with all threads waiting: 60 ms each time for the modules of a web worker
    alone (100,000 objects), in the middle of somebody's request. Objects that are made later are collected as ever.
    """
    gc.collect()
    gc.freeze()
