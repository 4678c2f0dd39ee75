# SPDX-License-Identifier: BSD-2-Clause
"""guard.py SCRATCH: outlives wine.py or demo.py, however that ends: its standard input ends then. Stops all that runs
in the prefix, and takes away what it and the test have left."""
import glob
import os
import shutil
import signal
import subprocess
import sys
import time

END_S = 60
PAUSE_S = 0.1


def processes():
    """Those that know our prefix: also who has only just begun, and would start a server of his own."""
    wanted = os.fsencode("WINEPREFIX=" + os.environ["WINEPREFIX"])
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                found = wanted in file.read().split(b"\0")
        except OSError:
            continue  # it has ended, or is somebody else's
        number = int(path.split("/")[2])
        if found and number != os.getpid():
            yield number


def end_all():
    """Twice nobody: one may have been between fork and exec."""
    empty, end = 0, time.monotonic() + END_S
    while empty < 2 and time.monotonic() < end:
        empty += 1
        for number in processes():
            empty = 0
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(PAUSE_S)


def main():
    sys.stdin.read()
    if shutil.which("wineserver"):
        subprocess.run(["wineserver", "-k"], stdin=subprocess.DEVNULL)
    end_all()
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
