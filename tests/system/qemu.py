#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan
"""Initiators that others wrote: qemu-img, qemu-io and the tools of libiscsi on disks of every block size and length."""
import filecmp
import os

from adapter import Adapter, Cases, Skip, find_tool, must, need, sparse

MIB, TIB = 1 << 20, 1 << 40
BLOCK_LIMIT = (1 << 63) - 512  # 8 EiB less a block


def make_real_image(scratch):
    """A file system with files on it, made from a directory."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    need("mke2fs")
    source, image = os.environ.get("SOURCE", "."), os.path.join(scratch, "real.img")
    files = os.path.join(scratch, "files")
    os.mkdir(files)
    for name in ("core", "edge", "store", "tests"):
        must(["cp", "-r", os.path.join(source, name), files])
    with open(os.path.join(files, "noise"), "wb") as noise:
        noise.write(os.urandom(9 * MIB + 12345))
    sparse(image, 48 * MIB)
    must(["mke2fs", "-q", "-F", "-t", "ext4", "-d", files, image])
    return image


def window(url, start, length):
    """A stretch of a unit as qemu-img names it."""
    portal, iqn, lun = url[len("iscsi://"):].split("/")
    return "driver=raw,offset=%d,size=%d,file.driver=iscsi,file.transport=tcp,file.portal=%s,file.target=%s," \
           "file.lun=%s" % (start, length, portal, iqn, lun)


def extents(path):
    """Length and all that is not zero of a sparse file: holes are skipped, not read."""
    found = []
    with open(path, "rb") as file:
        length, at = os.fstat(file.fileno()).st_size, 0
        while at < length:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: nothing but holes up to the end
                break
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            for place in range(at, end, MIB):
                data = os.pread(file.fileno(), min(MIB, end - place), place)
                if data.strip(b"\0"):
                    found.append((place, data))
            at = end
    return length, found


class Tests:
    def __init__(self, cases):
        self.scratch = cases.scratch
        self.adapter = Adapter(self.scratch)
        self.real = make_real_image(self.scratch)

    def unit(self, name, length, *options):
        image = sparse(os.path.join(self.scratch, name), length)
        self.adapter.connect(image, *options)
        return image, self.adapter.url(image)

    def there_and_back(self, block_size):
        need("qemu-img")
        image, url = self.unit("copy-%d.img" % block_size, os.path.getsize(self.real), "--block-size", str(block_size))
        back = os.path.join(self.scratch, "back.img")
        must(["qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", self.real, url])
        must(["qemu-img", "compare", "-f", "raw", "-F", "raw", self.real, url])
        must(["qemu-img", "convert", "-f", "raw", "-O", "raw", url, back])
        assert filecmp.cmp(self.real, back, shallow=False), "what came back differs"
        assert filecmp.cmp(self.real, image, shallow=False), "the unit's image differs"
        os.unlink(back)
        self.adapter.disconnect(image)
        assert filecmp.cmp(self.real, image, shallow=False), "the unit's image differs after disconnect"

    def sparse_10_tib(self):
        need("qemu-img", "qemu-io")
        length = 10 * TIB
        try:
            image, url = self.unit("huge.img", length)
        except OSError as why:
            raise Skip("no sparse file of 10 TiB here: %s" % why)
        for place in (TIB, 3 * TIB, length - os.path.getsize(self.real)):
            self.real_image_at(image, url, place)
        self.patterns_at(image, url, ((TIB - 65536, 0x11), (3 * TIB - 65536, 0x33), (length - 65536, 0x77)))
        assert os.stat(image).st_blocks * 512 < 4 * os.path.getsize(self.real), "the image is not sparse any more"
        self.adapter.disconnect(image)

    def real_image_at(self, image, url, place):
        length, back = os.path.getsize(self.real), os.path.join(self.scratch, "back.img")
        there = window(url, place, length)
        must(["qemu-img", "convert", "-n", "-f", "raw", self.real, "--target-image-opts", there])
        must(["qemu-img", "convert", "--image-opts", "-O", "raw", there, back])
        assert filecmp.cmp(self.real, back, shallow=False), "what came back from %d differs" % place
        with open(self.real, "rb") as real, open(image, "rb") as unit:
            unit.seek(place)
            assert unit.read(length) == real.read(), "the image differs at %d" % place
        os.unlink(back)

    def patterns_at(self, image, url, places):
        steps = []
        for place, byte in places:
            steps += ["-c", "write -P 0x%x %d 64k" % (byte, place), "-c", "read -P 0x%x %d 64k" % (byte, place)]
        output = must(["qemu-io", "-f", "raw"] + steps + ["-c", "flush", url])
        assert "failed" not in output, output
        with open(image, "rb") as unit:
            for place, byte in places:
                unit.seek(place)
                assert unit.read(65536) == bytes([byte]) * 65536, "the image differs at %d" % place

    def sparse_image_whole(self):
        """A whole sparse disk of 10 TiB in one convert: only its data moves."""
        need("qemu-img", "qemu-io")
        source = sparse(os.path.join(self.scratch, "source.img"), 10 * TIB)
        with open(source, "r+b") as file:
            for place in (TIB, 3 * TIB, 10 * TIB - MIB):
                file.seek(place)
                file.write(os.urandom(MIB))
        image, url = self.unit("huge-copy.img", 10 * TIB)
        must(["qemu-img", "convert", "-n", "--target-is-zero", "-f", "raw", "-O", "raw", source, url])
        back = os.path.join(self.scratch, "back.img")
        must(["qemu-img", "convert", "-f", "raw", "-O", "raw", url, back])
        assert extents(back) == extents(source), "what came back differs"
        os.unlink(back)
        self.adapter.disconnect(image)  # it is locked while it is connected
        assert extents(image) == extents(source), "the unit's image differs"

    def largest_for_qemu(self):
        """QEMU opens nothing longer than 8 EiB less 1 GiB: a real image there and back at the end of that."""
        need("qemu-img")
        path, length = "/dev/shm/lungfish-qemu-%d.img" % os.getpid(), (1 << 63) - (1 << 30)
        try:
            sparse(path, length)
        except OSError as why:
            raise Skip("no file of 8 EiB less 1 GiB in /dev/shm: %s" % why)
        try:
            self.adapter.connect(path)
            self.real_image_at(path, self.adapter.url(path), length - os.path.getsize(self.real))
            self.adapter.disconnect(path)
        finally:
            os.unlink(path)

    def almost_8_eib(self):
        path = "/dev/shm/lungfish-test-%d.img" % os.getpid()
        try:
            sparse(path, BLOCK_LIMIT)
        except OSError as why:
            raise Skip("no file of 8 EiB less a block in /dev/shm: %s" % why)
        try:
            self.adapter.connect(path)
            url, blocks = self.adapter.url(path), BLOCK_LIMIT // 512
            need("iscsi-readcapacity16", "iscsi-inq")
            assert str(blocks - 1) in must(["iscsi-readcapacity16", url]), must(["iscsi-readcapacity16", url])
            for region in ("0:4096", "%d:4096" % (blocks // 2), "%d:4096" % (blocks - 4096)):
                must([find_tool("lf-soak"), "--target", url, "--region", region, "--ios", "4000", "--unmap-zeroes"])
            assert os.path.getsize(path) == BLOCK_LIMIT, "the image's length changed"
            self.adapter.disconnect(path)
        finally:
            os.unlink(path)

    def tools_of_libiscsi(self):
        need("iscsi-ls", "iscsi-inq", "iscsi-readcapacity16")
        image, url = self.unit("tools.img", 8 * MIB)
        portal = url.rsplit("/", 2)[0]
        assert self.adapter.iqn in must(["iscsi-ls", portal])
        listing = must(["iscsi-ls", "-s", portal])
        assert self.adapter.iqn in listing and "Lun:" in listing, listing
        assert "Peripheral Device Type" in must(["iscsi-inq", url]) or "Vendor" in must(["iscsi-inq", url])
        for page in ("0x00", "0x80", "0x83", "0xb0", "0xb1", "0xb2"):
            must(["iscsi-inq", "-e", "1", "-c", page, url])
        output = must(["iscsi-readcapacity16", url])
        assert str(8 * MIB // 512 - 1) in output and "512" in output, output
        self.adapter.disconnect(image)

    def qemu_io(self, block_size):
        need("qemu-io")
        image, url = self.unit("io-%d.img" % block_size, 16 * MIB, "--block-size", str(block_size))
        output = must(["qemu-io", "-f", "raw", "-c", "write -P 0xa5 0 3M", "-c", "write -f -P 0x5a 1M 64k", "-c",
                       "write -z 2M 512k", "-c", "discard 4M 1M", "-c", "flush", "-c", "read -P 0xa5 0 1M", "-c",
                       "read -P 0x5a 1M 64k", "-c", "read -P 0 2M 512k", "-c", "read -P 0xa5 2560k 512k", "-c",
                       "aio_write -P 0x66 8M 1M", "-c", "aio_flush", "-c", "read -P 0x66 8M 1M", "-c", "length", url])
        assert "failed" not in output.lower() and "error" not in output.lower(), output
        with open(image, "rb") as unit:
            data = unit.read()
        assert data[:MIB] == b"\xa5" * MIB and data[MIB:MIB + 65536] == b"\x5a" * 65536
        assert data[2 * MIB:2 * MIB + 524288] == bytes(524288) and data[8 * MIB:9 * MIB] == b"\x66" * MIB
        self.adapter.disconnect(image)


def main():
    cases = Cases()
    tests = Tests(cases)
    try:
        cases.run("libiscsi_tools", tests.tools_of_libiscsi)
        for block_size in (512, 4096):
            cases.run("qemu_img_there_and_back_%d" % block_size, tests.there_and_back, block_size)
            cases.run("qemu_io_%d" % block_size, tests.qemu_io, block_size)
        cases.run("qemu_sparse_10_tib", tests.sparse_10_tib)
        cases.run("qemu_img_whole_sparse_10_tib", tests.sparse_image_whole)
        cases.run("qemu_img_at_the_end_of_8_eib_less_1_gib", tests.largest_for_qemu)
        cases.run("disk_of_8_eib_less_a_block", tests.almost_8_eib)
        cases.run("daemon_ends_cleanly", lambda: check_end(tests.adapter))
    finally:
        tests.adapter.kill()
    cases.finish()


def check_end(adapter):
    status = adapter.stop()
    assert status == 0, "status %d: %s" % (status, adapter.log())


if __name__ == "__main__":
    main()
