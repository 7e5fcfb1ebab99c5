"""Run the operator under a profiler that counts processor time; a process of its own: FILE."""

import cProfile
import sys
import time

from gather_operator.main import main

if __name__ == "__main__":
    profiler = cProfile.Profile(time.thread_time)
    try:
        profiler.runcall(main, [])
    finally:
        profiler.dump_stats(sys.argv[1])
