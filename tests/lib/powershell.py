# SPDX-License-Identifier: BSD-2-Clause
"""What PowerShell scripts say, by a grammar of others (tree-sitter-powershell, from npm): there is no PowerShell in
Debian. Where npm is not installed, or reaches nothing, there is no parser, and what wants one is skipped."""
import functools
import json
import os
import shutil
import subprocess

PACKAGES = ("web-tree-sitter@0.27.1", "tree-sitter-powershell@0.26.4")
INSTALL_S = 120
HERE = os.path.dirname(os.path.abspath(__file__))
PLACE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "check", "npm")


@functools.lru_cache(maxsize=None)
def missing():
    """Why there is no parser; None when there is one."""
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            return tool + " is not installed"
    os.makedirs(PLACE, exist_ok=True)
    if not all(os.path.isdir(os.path.join(PLACE, "node_modules", name.split("@")[0])) for name in PACKAGES):
        try:
            done = subprocess.run(["npm", "install", "--prefix", PLACE, "--ignore-scripts", "--no-audit", "--no-fund",
                                   "--no-save", *PACKAGES], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=INSTALL_S)
        except subprocess.TimeoutExpired:
            return "npm did not end in %d s" % INSTALL_S
        if done.returncode:
            return "npm: " + " ".join(done.stdout.decode(errors="replace").split())[:200]
    return None


def parse(text):
    """The tree: {kind, text, row, error, children}; named nodes only, and what could not be read."""
    # Else it compiles the grammar once more, to be fast, for half a minute, and waits for that when it is done.
    done = subprocess.run(["node", "--liftoff-only", os.path.join(HERE, "powershell.mjs"), PLACE], input=text.encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=INSTALL_S)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return json.loads(done.stdout)


def every(node, kind):
    if node["kind"] == kind:
        yield node
    for child in node["children"]:
        yield from every(child, kind)


def problems(node):
    if node["error"]:
        yield "line %d: not PowerShell: %s" % (node["row"], node["text"][:80])
    for child in node["children"]:
        yield from problems(child)
