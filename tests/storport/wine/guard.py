# SPDX-License-Identifier: BSD-2-Clause
"""guard.py SCRATCH: outlives wine.py or demo.py, however that ends: its standard input ends then. Stops the prefix's
server, and takes away what it and the test have left."""
import shutil
import subprocess
import sys


def main():
    sys.stdin.read()
    if shutil.which("wineserver"):
        subprocess.run(["wineserver", "-k"], stdin=subprocess.DEVNULL)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
