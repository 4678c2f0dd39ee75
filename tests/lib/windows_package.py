# SPDX-License-Identifier: BSD-2-Clause
"""The package for Windows as packaging/windows/package.sh makes it from the build that is there."""
import os
import re
import subprocess
import zipfile

from windows_build import BUILD, SOURCE

HERE = os.path.join(SOURCE, "packaging", "windows")
TMPDIR = os.environ.get("TMPDIR", "/tmp")


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace")


def release():
    return re.search(r"^\s*version: '([^']+)'", read(SOURCE, "meson.build").decode(), re.M).group(1)


class Package:
    """Made by package.sh with these options, and unpacked."""

    def __init__(self, name, *options):
        self.zip = os.path.join(TMPDIR, name + ".zip")
        self.name = "lungfish-%s-windows-x64" % release()
        self.folder = os.path.join(TMPDIR, name, self.name)
        self.status, self.output = run(os.path.join(HERE, "package.sh"), "--build", BUILD, *options, self.zip)
        if not self.status:
            with zipfile.ZipFile(self.zip) as archive:
                archive.extractall(os.path.join(TMPDIR, name))
            self.trust = os.path.join(TMPDIR, name + ".pem")
            run("openssl", "x509", "-inform", "der", "-in", self.path("lungfish-test.cer"), "-out", self.trust)

    def path(self, name):
        return os.path.join(self.folder, name)

    def verify(self, path, *options):
        """osslsigncode's judgement of a file, trusting the package's certificate only."""
        return run("osslsigncode", "verify", "-CAfile", self.trust, *options, "-in", path)
