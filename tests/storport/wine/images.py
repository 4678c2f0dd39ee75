# SPDX-License-Identifier: BSD-2-Clause
"""Images made on Linux, as they are and as they are to become, and what Linux finds in them afterwards."""
import os
import subprocess

MIB = 1 << 20
FILES = {"one.txt": b"one\n" * 1000, "two.bin": bytes(range(256)) * 300}
LATER = {"three.bin": b"written by Windows" * 5000}


def run(*command, may=(0,)):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60, env=dict(os.environ, MTOOLS_SKIP_CHECK="1"))
    if done.returncode not in may:
        raise RuntimeError("%s: status %d: %s" % (" ".join(command), done.returncode, done.stdout.decode()))
    return done.stdout


def sparse(path, size):
    with open(path, "wb") as image:
        image.truncate(size)
    return path


def put(folder, files):
    os.makedirs(folder, exist_ok=True)
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    return [os.path.join(folder, name) for name in files]


def copy(source, target):
    run("cp", "--sparse=always", source, target)
    return target


class Images:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.first = put(self.path("first"), FILES)
        self.later = put(self.path("later"), LATER)
        self.make_fat()
        self.make_ntfs()
        self.iso = self.path("disc.iso")
        run("xorriso", "-as", "mkisofs", "-quiet", "-J", "-R", "-o", self.iso, self.path("first"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def blank(self, name, size=4 * MIB):
        return sparse(self.path(name), size)

    def make_fat(self):
        """fat: with files; fat_after: with one more."""
        self.fat = sparse(self.path("fat.img"), 4 * MIB)
        run("mkfs.fat", "-n", "LUNGFISH", self.fat)
        run("mcopy", "-i", self.fat, *self.first, "::")
        self.fat_after = copy(self.fat, self.path("fat.after"))
        run("mcopy", "-i", self.fat_after, *self.later, "::")

    def make_ntfs(self):
        self.ntfs = sparse(self.path("ntfs.img"), 6 * MIB)
        run("mkntfs", "-q", "-F", "-s", "512", self.ntfs)
        for path in self.first:
            run("ntfscp", "-q", self.ntfs, path, os.path.basename(path))
        self.ntfs_after = copy(self.ntfs, self.path("ntfs.after"))
        for path in self.later:
            run("ntfscp", "-q", self.ntfs_after, path, os.path.basename(path))

    def check_fat(self, image):
        run("fsck.fat", "-n", image)
        for name, data in {**FILES, **LATER}.items():
            assert run("mtype", "-i", image, "::" + name) == data, "%s in %s differs" % (name, image)

    def check_ntfs(self, image):
        run("ntfsfix", "-n", image)
        for name, data in {**FILES, **LATER}.items():
            assert run("ntfscat", image, name) == data, "%s in %s differs" % (name, image)

    def check_iso(self, image):
        for name, data in FILES.items():
            out = self.path("from-iso")
            run("xorriso", "-osirrox", "on", "-indev", image, "-extract", "/" + name, out)
            with open(out, "rb") as file:
                assert file.read() == data, "%s in %s differs" % (name, image)
            os.chmod(out, 0o600)
            os.unlink(out)


def same(one, other):
    return subprocess.run(["cmp", "-s", one, other], stdin=subprocess.DEVNULL).returncode == 0
