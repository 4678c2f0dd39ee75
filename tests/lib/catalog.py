# SPDX-License-Identifier: BSD-2-Clause
"""A security catalog of Windows, read from what OpenSSL's asn1parse says of it; nothing here knows how one is made."""
import re
import subprocess

CONTENT = {"trust list": "1.3.6.1.4.1.311.10.1", "usage": "1.3.6.1.4.1.311.12.1.1",
           "version 2": "1.3.6.1.4.1.311.12.1.3", "name value": "1.3.6.1.4.1.311.12.2.1",
           "member info": "1.3.6.1.4.1.311.12.2.3", "indirect data": "1.3.6.1.4.1.311.2.1.4",
           "image": "1.3.6.1.4.1.311.2.1.15", "file": "1.3.6.1.4.1.311.2.1.25"}


class Node:
    """One element: its tag as asn1parse has it, what it calls an object, its bytes with and without its head."""

    def __init__(self, tag, value, whole, body):
        self.tag, self.value, self.whole, self.body = tag, value, whole, body
        self.children = []

    def __getitem__(self, number):
        return self.children[number]

    def is_object(self, name):
        return self.tag == "OBJECT" and self.value == CONTENT.get(name, name)


def tree(data):
    """The outermost element."""
    done = subprocess.run(["openssl", "asn1parse", "-inform", "der"], input=data, stdout=subprocess.PIPE, check=True)
    path = []
    for line in done.stdout.decode().splitlines():
        place, depth, head, length, tag, value = re.match(
            r"\s*(\d+):d=(\d+)\s+hl=(\d+)\s+l=\s*(\d+)\s+(?:cons|prim):\s+(.*?)\s*(?:\[HEX DUMP\])?(?::(.*))?$", line).groups()
        place, head, length = int(place), int(head), int(length)
        node = Node(tag, value, data[place:place + head + length], data[place + head:place + head + length])
        path[int(depth):] = [node]
        if int(depth):
            path[-2].children.append(node)
    return path[0]


def need(condition, text):
    if not condition:
        raise ValueError(text)


def name_and_value(node):
    """Of CatNameValue; the value ends with a zero, as Windows has it."""
    name, flags, value = node.children
    text = value.body.decode("utf-16-le")
    need((name.tag, value.tag, flags.body) == ("BMPSTRING", "OCTET STRING", b"\x10\x01\x00\x01"), "flags or types")
    need(text.endswith("\0") and "\0" not in text[:-1], "a value that does not end with a zero")
    return name.body.decode("utf-16-be"), text[:-1]


class Member:
    """name: the digest that it is found by; digest and kind: of its SpcIndirectDataContent, or None."""

    def __init__(self, node):
        name, attributes = node.children
        need((name.tag, attributes.tag) == ("OCTET STRING", "SET"), "a member is a name and attributes")
        self.name, self.digest, self.kind, self.texts = name.body, None, None, {}
        encoded = [attribute.whole for attribute in attributes.children]
        need(encoded == sorted(encoded), "a SET out of order")
        seen = []
        for kind, values in (attribute.children for attribute in attributes.children):
            need(values.tag == "SET" and len(values.children) == 1, "one value for each attribute")
            if kind.is_object("name value"):
                text, value = name_and_value(values[0])
                need(text not in self.texts, "an attribute twice")
                self.texts[text] = value
            elif kind.is_object("indirect data"):
                self.read_digest(values[0])
            else:
                seen.append(kind.value)
                need(values[0].whole == b"\x82\x00", "member info that is not empty")
        need(seen == [CONTENT["member info"]], "attributes %s" % seen)

    def read_digest(self, node):
        what, (algorithm, digest) = node[0], node[1].children
        need(algorithm[0].is_object("sha256") and algorithm[1].tag == "NULL", "another digest than SHA-256")
        self.kind = "image" if what[0].is_object("image") else "file" if what[0].is_object("file") else what[0].value
        self.digest = digest.body


class Catalog:
    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        outer = tree(data)
        need(outer.whole == data, "something behind the catalog")
        need(outer[0].is_object("pkcs7-signedData"), "no SignedData")
        self.signed = outer[1][0]
        self.content = self.signed[2][1][0]
        need(self.signed[2][0].is_object("trust list"), "no trust list in it")
        usage, identifier, self.day, algorithm, members, extensions = self.content.children
        need(usage[0].is_object("usage") and algorithm[0].is_object("version 2"), "no catalog of version 2")
        need(len(identifier.body) == 16 and self.day.tag == "UTCTIME", "its identifier or its date")
        self.members = [Member(node) for node in members.children]
        self.texts = {}
        for kind, value in (node.children for node in extensions[0].children):
            need(kind.is_object("name value") and value.tag == "OCTET STRING", "another extension")
            name, text = name_and_value(tree(value.body))
            self.texts[name] = text

    def signature(self):
        """(attributes as they were signed, the signature, the digest in them, the type in them)."""
        signer = self.signed[-1][0]
        attributes, signature = signer[3], signer[5]
        found = {attribute[0].value: attribute[1][0] for attribute in attributes.children}
        return b"\x31" + attributes.whole[1:], signature.body, found["messageDigest"].body, found["contentType"]
