#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-clang
"""What packaging/windows/package.sh makes: the zip, its signatures and its catalog, read by others than made them."""
import hashlib
import os
import re
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from catalog import Catalog
from driver_image import checksum_problems, flag_problems, header_problems, import_problems, section_problems
from pe_image import Image
from windows_build import BUILD, SOURCE, case, finish
from windows_package import HERE, TMPDIR, Package, read, release, run

OUT = os.path.join(BUILD, "out")
MUST = {"lungfish.sys", "lungfish.inf", "lungfish.cat", "lungfish.exe", "lungfish-gui.exe", "lungfish.pdb", "lungfish-test.cer",
        "LICENSE", "README.txt"}


def listed():
    """(name, where from) as packaging/windows/contents has it."""
    lines = [line.split("|") for line in read(HERE, "contents").decode().splitlines() if not line.startswith("#")]
    return [(line[0].strip(), line[1].strip()) for line in lines]


def signed_names():
    return [name for name, origin in listed() if origin == "sign"]


def contents_problems(package):
    names = [name for name, _ in listed()]
    with zipfile.ZipFile(package.zip) as archive:
        found = [entry.filename for entry in archive.infolist()]
        dates = {entry.date_time for entry in archive.infolist()}
    if found != ["%s/%s" % (package.name, name) for name in sorted(names)]:
        yield "it has %s" % found
    if not MUST <= set(names):
        yield "packaging/windows/contents lacks %s" % sorted(MUST - set(names))
    if len(dates) != 1:
        yield "its files have dates of their own: %s" % sorted(dates)
    for name, origin in listed():
        if name.endswith((".sys", ".exe", ".dll")) and origin != "sign":
            yield "%s is not signed" % name
        place = os.path.join(OUT, name) if origin == "build" else os.path.join(SOURCE, origin)
        if origin not in ("make", "sign") and read(package.folder, name) != read(place):
            yield "%s is not that of the tree and the build" % name


def signature_problems(package):
    for name in signed_names() + ["lungfish.cat"]:
        status, output = package.verify(package.path(name))
        if status or "Signature verification: ok" not in output:
            yield "%s does not verify: %s" % (name, output)


def signed_image_problems(package):
    """What was built is in there whole: a signature only follows it."""
    for name in signed_names():
        built, signed = Image(os.path.join(OUT, name)), Image(package.path(name))
        place, length = signed.signature()
        if not length or place + length != len(signed.bytes):
            yield "%s: the signature is not at its end" % name
        before, after = built.signed_bytes(), signed.signed_bytes()
        if after[:len(before)] != before or len(after) - len(before) >= 8 or after[len(before):].strip(b"\0"):
            yield "%s is another than was built" % name
        yield from checksum_problems(signed)


def driver_problems(package):
    image = Image(package.path("lungfish.sys"))
    for problems in (header_problems, import_problems, section_problems, flag_problems):
        yield from problems(image)


def version_problems(package):
    for name in signed_names():
        found = Image(package.path(name)).version()
        if (found.get("OriginalFilename"), found.get("ProductVersion")) != (name, release()):
            yield "%s says %s" % (name, found)


def digests(path):
    """SHA-256 and SHA-1, of an image without what a signature changes."""
    data = Image(path).signed_bytes() if path.endswith(".sys") else read(path)
    return hashlib.sha256(data).digest(), hashlib.sha1(data).digest()


def member_problems(catalog, name, kind, path):
    long, short = digests(path)
    for digest in (long, short):
        found = [member for member in catalog.members if member.name == digest]
        if len(found) != 1:
            yield "%s: %d members are named %s" % (name, len(found), digest.hex())
            continue
        if found[0].texts != {"File": name, "OSAttr": "2:10.0"}:
            yield "%s: its attributes are %s" % (name, found[0].texts)
        wanted = (long, kind) if digest == long else (None, None)
        if (found[0].digest, found[0].kind) != wanted:
            yield "%s: its digest is %s of %s" % (name, found[0].digest, found[0].kind)


def catalog_problems(package):
    catalog = Catalog(package.path("lungfish.cat"))
    yield from member_problems(catalog, "lungfish.sys", "image", package.path("lungfish.sys"))
    yield from member_problems(catalog, "lungfish.inf", "file", package.path("lungfish.inf"))
    names = [member.name for member in catalog.members]
    if len(names) != 4 or names != sorted(names):
        yield "%d members, in order: %s" % (len(names), names == sorted(names))
    if catalog.texts != {"OS": "_v100_X64", "HWID1": "root\\lungfish"}:
        yield "it is for %s" % catalog.texts
    month, day, year = re.search(r"DriverVer *= *(\d+)/(\d+)/(\d+),", read(HERE, "lungfish.inf").decode()).groups()
    if catalog.day.value != year[2:] + month + day + "000000Z":
        yield "its date is %s" % catalog.day.value
    # Others compute the image's digest, too.
    _, output = package.verify(package.path("lungfish.sys"))
    found = re.search(r"Calculated message digest\s*: ([0-9A-F]{64})", output)
    if not found or bytes.fromhex(found.group(1)) not in names:
        yield "osslsigncode digests lungfish.sys otherwise: %s" % output
    status, output = package.verify(package.path("lungfish.sys"), "-catalog", package.path("lungfish.cat"))
    if status:
        yield "osslsigncode does not find lungfish.sys in it: %s" % output


def catalog_signature_problems(package):
    """By OpenSSL alone: the digest is of the list's contents, the signature of the attributes that have the digest."""
    catalog = Catalog(package.path("lungfish.cat"))
    attributes, signature, digest, kind = catalog.signature()
    if digest != hashlib.sha256(catalog.content.body).digest():
        yield "the signed digest is not that of the list"
    if not kind.is_object("trust list"):
        yield "what was signed is called %s" % kind.value
    paths = [os.path.join(TMPDIR, name) for name in ("public.pem", "signature", "attributes")]
    _, key = run("openssl", "x509", "-in", package.trust, "-noout", "-pubkey")
    for path, data in zip(paths, (key.encode(), signature, attributes)):
        with open(path, "wb") as file:
            file.write(data)
    status, output = run("openssl", "dgst", "-sha256", "-verify", paths[0], "-signature", *paths[1:])
    if status:
        yield "its signature does not verify: %s" % output


def certificate_problems(package, other):
    _, text = run("openssl", "x509", "-in", package.trust, "-noout", "-text")
    for word in ("CN = Lungfish test certificate", "Code Signing", "CA:FALSE", "sha256WithRSAEncryption"):
        if word not in text:
            yield "it lacks %s: %s" % (word, text)
    if read(package.trust) == read(other.trust):
        yield "two packages have one key"
    for folder, _, names in os.walk(package.folder):
        for name in names:
            if b"PRIVATE KEY" in read(folder, name):
                yield "%s has the key" % name


def changed(package, name, at):
    """A copy with one bit turned at that place."""
    data = bytearray(read(package.folder, name))
    data[at] ^= 1
    path = os.path.join(TMPDIR, "changed-" + name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def tampering_problems(package):
    catalog = Catalog(package.path("lungfish.cat"))
    driver = Image(package.path("lungfish.sys"))
    path = changed(package, "lungfish.sys", driver.offset_of(driver.entry))
    if not package.verify(path)[0]:
        yield "the driver's own signature verifies with another instruction in it"
    if not package.verify(path, "-catalog", package.path("lungfish.cat"))[0]:
        yield "the catalog vouches for a driver with another instruction in it"
    if not list(member_problems(catalog, "lungfish.sys", "image", path)):
        yield "the catalog has a changed driver's digest"
    path = changed(package, "lungfish.inf", read(package.folder, "lungfish.inf").index(b"GA;;;BA"))
    if not list(member_problems(catalog, "lungfish.inf", "file", path)):
        yield "the catalog has a changed INF's digest"
    path = changed(package, "lungfish.cat", read(package.folder, "lungfish.cat").index(catalog.members[0].name))
    if not package.verify(path)[0]:
        yield "the catalog verifies with another member in it"


def words(text):
    """Without what Markdown marks, and how its lines were broken."""
    return " ".join(re.sub(r"\[([^]]+)\]\(([^)]+)\)", r"\1 (\2)", text).replace("`", "").replace("**", "").split())


def readme_problems(package):
    text = read(package.folder, "README.txt").decode("ascii")
    if text.count("\n") != text.count("\r\n"):
        yield "its lines do not end as Windows has it"
    for mark in ("`", "](", "**", "\n| "):
        if mark in text:
            yield "Markdown is left in it: %s" % mark
    flat = " ".join(text.split())
    for name, _ in listed():
        if not re.search(r"(?m)^ +%s " % re.escape(name), text):
            yield "it does not say what %s is" % name
    docs = read(SOURCE, "docs", "windows.md").decode()
    checklist = docs[docs.index("\n## Checklist"):]
    rows = re.findall(r"^\| (\d+) \| (.*) \| (.*) \|$", checklist, re.M)
    settings = re.findall(r"^\d+\. (.*(?:\n   .*)*)", checklist, re.M)
    left = [row for row in re.findall(r"^\| (\d+) \| .*\| (.*) \|$", docs[:docs.index("\n## Build")], re.M)
            if row[1] != "-"]
    if len(rows) < 20 or len(settings) < 3 or len(left) < 10:
        yield "docs/windows.md has %d rows to check, %d settings, %d left" % (len(rows), len(settings), len(left))
    for piece in [part for row in rows for part in row[1:]] + settings + [row[1] for row in left]:
        if words(piece) not in flat:
            yield "it lacks: %s" % words(piece)
    for step in ("certutil -addstore Root lungfish-test.cer", "certutil -addstore TrustedPublisher lungfish-test.cer",
                 "bcdedit /set testsigning on", "lungfish driver install", "lungfish driver remove", "verifier /standard",
                 "StorPort\\Verifier", "SCSI Compliance", "hibernation"):
        if step not in flat:
            yield "it does not say %s" % step


def again_problems(package, other):
    """Another key, all else the same: what is signed is, and so is the rest to the byte."""
    for name, origin in listed():
        if origin == "sign":
            same = Image(package.path(name)).signed_bytes() == Image(other.path(name)).signed_bytes()
        elif name == "lungfish.cat":
            same = Catalog(package.path(name)).content.whole == Catalog(other.path(name)).content.whole
        else:
            same = name == "lungfish-test.cer" or read(package.folder, name) == read(other.folder, name)
        if not same:
            yield "%s is another" % name
    with zipfile.ZipFile(package.zip) as one, zipfile.ZipFile(other.zip) as two:
        heads = [[(entry.filename, entry.date_time, entry.external_attr, entry.extra) for entry in archive.infolist()]
                 for archive in (one, two)]
    if heads[0] != heads[1]:
        yield "the zips differ: %s" % heads


def own_key(name):
    paths = [os.path.join(TMPDIR, name + ending) for ending in (".crt", ".key")]
    status, output = run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-subj", "/CN=Somebody", "-addext",
                         "extendedKeyUsage=codeSigning", "-out", paths[0], "-keyout", paths[1])
    if status:
        raise OSError(output)
    return paths


def own_key_problems():
    certificate, key = own_key("somebody")
    package = Package("own", "--cert", certificate, "--key", key)
    if package.status:
        yield "with a key of somebody's own: %s" % package.output
        return
    if read(package.trust) != read(certificate):
        yield "its certificate is another"
    yield from signature_problems(package)


def refusal_problems():
    certificate, key = own_key("one")
    _, other = own_key("two")
    for options, wanted in ((["--cert", certificate], "--cert without --key"), (["--key", key], "--key without --cert"),
                            (["--cert", certificate, "--key", "/nowhere"], "/nowhere cannot be read"),
                            (["--cert", certificate, "--key", other], "osslsigncode failed"),
                            (["--sign"], "there is no option --sign"), (["one.zip"], "one OUT.zip only")):
        refused = Package("refused", *options)
        if refused.status != 1 or wanted not in refused.output or os.path.exists(refused.zip):
            yield "%s: status %d, %s" % (" ".join(options), refused.status, refused.output)


def main():
    package = Package("package")
    case("windows_package_is_made", [package.output] if package.status else [])
    if package.status:
        finish()
    case("windows_package_has_what_its_list_says", contents_problems(package))
    case("windows_package_signatures_verify", signature_problems(package))
    case("windows_package_has_the_images_that_were_built", signed_image_problems(package))
    case("windows_package_driver_is_one_that_windows_can_load", driver_problems(package))
    case("windows_package_programs_say_their_version", version_problems(package))
    case("windows_package_catalog_has_the_digests_of_its_files", catalog_problems(package))
    case("windows_package_catalog_is_signed", catalog_signature_problems(package))
    case("windows_package_finds_out_what_was_changed", tampering_problems(package))
    case("windows_package_readme_is_complete", readme_problems(package))
    again = Package("again")
    case("windows_package_is_the_same_when_made_again", again_problems(package, again))
    case("windows_package_has_a_certificate_of_its_own", certificate_problems(package, again))
    case("windows_package_takes_a_key_of_ones_own", own_key_problems())
    case("windows_package_says_what_it_cannot_do", refusal_problems())
    finish()


main()
