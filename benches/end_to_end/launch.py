"""Starts a program, waits for it, and writes what it took to a file.

    launch.py RESULT CORES PROGRAM [ARGUMENT...]

CORES is a list such as 0,1, or empty for all. It is a process of its own because Linux counts the
memory of whoever starts a program as the program's, so that it has to be small.
"""

import os
import signal
import sys
import time


def main():
    result, cores, *command = sys.argv[1:]
    if cores:
        os.sched_setaffinity(0, map(int, cores.split(",")))
    # Ctrl-C is the program's to obey; we wait for it. What Python itself ignores is not passed on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    defaults = [signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ]
    begun = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ, setsigdef=defaults)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - begun
    code = os.waitstatus_to_exitcode(status)
    with open(result, "w", encoding="ascii") as file:
        print(code, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, file=file)


main()
