"""Threads that share an arena."""

import subprocess
import sys

THREADS = """
import ctypes, sys, threading
from config.allocator import share_one_arena

if sys.argv[1:]:
    share_one_arena()
meeting = threading.Barrier(5)

def allocate():
    kept = [bytes(600) for _ in range(100)]
    meeting.wait()

threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads:
    thread.start()
meeting.wait()
ctypes.CDLL(None).malloc_stats()
"""


def arenas(*words: str) -> int:
    done = subprocess.run([sys.executable, "-c", THREADS, *words], capture_output=True, text=True, check=True)
    return done.stderr.count("Arena ")


def test_threads_have_arenas_of_their_own_until_they_are_told_to_share_one() -> None:
    assert arenas() > 1
    assert arenas("share") == 1
