# SPDX-License-Identifier: BSD-2-Clause
"""guard.py SCRATCH: outlives wine.py, however that ends: its standard input ends then. Stops the prefix's server, and
takes away what it and the test have left."""
import glob
import os
import shutil
import subprocess
import sys


def main():
    prefix = os.environ["WINEPREFIX"]
    place = os.stat(prefix)
    sys.stdin.read()
    subprocess.run(["wineserver", "-k"], stdin=subprocess.DEVNULL)
    # Where its socket is; Wine leaves it.
    for path in glob.glob("/tmp/*wine-*/server-%x-%x" % (place.st_dev, place.st_ino)):
        shutil.rmtree(path, ignore_errors=True)
        try:
            os.rmdir(os.path.dirname(path))
        except OSError:
            pass  # others' are in it
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
