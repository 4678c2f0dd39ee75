#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What `lungfish completion powershell` writes. No PowerShell runs it here: a grammar of others reads it, and its
tables are held against the help of each verb."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness
import powershell
from harness import Skip


def script():
    answer = harness.run("completion", "powershell")
    assert answer.status == 0 and answer.err == "", answer.err
    return answer.out


def table(text, name):
    """What stands between the braces of $name, lines of one level; {key: value or {key: value}}."""
    body = re.search(r"^    \$%s = (?:\[ordered\])?@\{\n(.*?)^    \}$" % name, text, re.M | re.S).group(1)
    found, inner = {}, None
    for line in body.splitlines():
        row = re.fullmatch(r"\s*'((?:[^']|'')*)' = (.*)", line)
        if row and row.group(2) == "[ordered]@{":
            inner = found[row.group(1)] = {}
        elif row:
            (found if inner is None else inner)[row.group(1)] = row.group(2)
        else:
            assert line.strip() == "}", line
            inner = None
    return found


def names(text):
    """Verbs as the help lists them."""
    return re.findall(r"^  ([a-z]+(?: [a-z]+)?) {1,}\S", text, re.M)


def long_options(text):
    return set(re.findall(r"^  (?:-\w, |    )?(--[a-z-]+)", text, re.M))


def it_is_powershell(_):
    reason = powershell.missing()
    if reason:
        raise Skip(reason)
    tree = powershell.parse(script())
    problems = list(powershell.problems(tree))
    assert not problems, problems
    commands = [node["text"] for node in powershell.every(tree, "command_name")]
    assert commands[0] == "Register-ArgumentCompleter", commands[0]
    # The parser does find fault with what is none.
    assert list(powershell.problems(powershell.parse(script().replace("$takes = @{", "$takes = @("))))


def it_knows_each_verb_and_its_second_words(_):
    text = script()
    verbs, seconds = table(text, "verbs"), table(text, "seconds")
    listed = names(harness.run("help").out)
    assert len(listed) > 10
    assert set(verbs) == {name.split()[0] for name in listed}, set(verbs)
    assert {"%s %s" % (first, second) for first in seconds for second in seconds[first]} == \
        {name for name in listed if " " in name}, seconds
    assert set(table(text, "options")) == set(listed)


def it_knows_each_option_of_each_verb(_):
    text = script()
    every, options = table(text, "every"), table(text, "options")
    assert "--json" in every and "--help" in every
    for verb, own in options.items():
        wanted = long_options(harness.run("help", *verb.split()).out)
        assert set(every) | set(own) == wanted, (verb, wanted ^ (set(every) | set(own)))
    assert table(text, "values")["--write-cache"] == "@('on', 'off')"
    assert table(text, "values")["--rotation"] == "@('ssd')"


def it_knows_which_options_take_a_value(_):
    valued = table(script(), "valued")
    texts = harness.run("help", "connect").out + harness.run("help", "list").out + harness.run("help", "stats").out
    for option, value in re.findall(r"(--[a-z-]+) ([A-Z0-9a-z|]+(?: |$))?", texts):
        taken = any(re.fullmatch(pattern, option) for pattern in valued)
        if re.fullmatch(r"[A-Z]+ ?|\S+\|\S+ ?", value or ""):
            assert taken, option
    assert any(re.fullmatch(pattern, "-rno") for pattern in valued)
    assert not any(re.fullmatch(pattern, word) for pattern in valued for word in ("-O", "-rn", "--json", "--force"))


def it_knows_what_each_operand_is(_):
    takes = table(script(), "takes")
    assert takes["connect"] == "@('image', '', 2)" and takes["insert"] == "@('device', 'image', 2)", takes
    assert takes["help"].startswith("@('verb'") and takes["session drop"].startswith("@('session', 'session'"), takes
    assert "status" not in takes


if __name__ == "__main__":
    sys.exit(harness.main([
        it_is_powershell, it_knows_each_verb_and_its_second_words, it_knows_each_option_of_each_verb,
        it_knows_which_options_take_a_value, it_knows_what_each_operand_is]))
