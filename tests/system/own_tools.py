#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: gcc
"""The tools that judge the others: each rule of tests/tidy can fail, and the runner takes nothing for a pass."""
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRATCH = os.environ.get("TMPDIR", "/tmp")
SPDX = "/* SPDX-License-Identifier: BSD-2-Clause */\n"
EVENTS = SPDX + 'LF_EVENT(command_begin, 1, VERBOSE, lun,,,)\n'

# A tree that keeps every rule.
GOOD = {
    "trace/events.def": EVENTS,
    "core/a.c": SPDX + '#include "core/io.h"\n\nint lf_a;\n',
    "core/io.h": SPDX + "#include <stdint.h>\n\nextern int lf_a;\n",
    "core/core.h": SPDX,
    "core/commands.def": SPDX + "LF_COMMAND(READ_10, 0x28)\nLF_COMMAND_MORE(GET_LBA_STATUS, 0x9e)\n",
    "tests/conformance/read_10.scsi": "# the row READ_10\n",
    "tests/conformance/get_lba_status.scsi": "# the row GET_LBA_STATUS\n",
    "tests/conformance/rules_universal.scsi": "# no row\n",
    "core/meson.build": "# SPDX-License-Identifier: BSD-2-Clause\ncore_sources = files('a.c')\n",
    "store/store.h": SPDX,
    "edge/iscsi/iscsi.h": SPDX + '#include "core/request.h"\n',
    "edge/loop/loop.h": SPDX,
    "core/request.h": SPDX,
    "docs/TOUR.md": "# Tour\n\n`lf_a` in `core/a.c`, as `a.c` has it; `lf_` begins a name, `NAME.c` stands for one; [Tour](#tour)\n\n"
                    "```\nbuild/core/a core/io.h ./core/a\n```\n",
    "man/lungfish.1": '.\\" SPDX-License-Identifier: BSD-2-Clause\n.Dd January 2, 2026\n.Dt LUNGFISH 1\n.Os\n.Sh NAME\n'
                      ".Nm lungfish\n.Nd a fish\n",
}

# What breaks which rule: (rule, path, text).
BAD = [
    ("includes", "core/io.h", SPDX + "#include <string.h>\n\nextern int lf_a;\n"),
    ("includes", "core/io.h", SPDX + '#include "store/store.h"\n\nextern int lf_a;\n'),
    ("includes", "store/store.h", SPDX + '#include "core/core.h"\n'),
    ("includes", "store/store.h", SPDX + '#include "edge/loop/loop.h"\n'),
    ("includes", "edge/iscsi/iscsi.h", SPDX + '#include "edge/loop/loop.h"\n'),
    ("includes", "edge/iscsi/iscsi.h", SPDX + '#include "store/store.h"\n'),
    ("includes", "edge/iscsi/iscsi.h", SPDX + '#include "request.h"\n'),
    ("windows_names", "store/store.h", SPDX + "extern NTSTATUS lf_status;\n"),
    ("windows_names", "edge/loop/loop.h", SPDX + "#include <windows.h>\n"),
    ("file_length", "store/store.h", SPDX + "/**/\n" * 1000),
    ("function_length", "core/a.c", SPDX + "int lf_a(void);\n\nint lf_a(void)\n{\n" + "\tlf_a();\n" * 69 + "}\n"),
    ("spdx_first", "store/store.h", "/* store.h */\n" + SPDX),
    ("nothing_unfinished", "store/store.h", SPDX + "/* TO" "DO: more */\n"),
    ("no_machine_places", "store/store.h", SPDX + "/* /ho" "me/somebody/lungfish */\n"),
    ("white_space", "store/store.h", SPDX + "extern int lf_b; \n"),
    ("white_space", "store/store.h", SPDX.rstrip()),
    ("clang_format", "store/store.h", SPDX + "extern  int lf_b;\n"),
    ("sources_are_built", "core/b.c", SPDX),
    ("sources_are_built", "core/meson.build", "# SPDX-License-Identifier: BSD-2-Clause\ncore_sources = files('a.c', 'c.c')\n"),
    ("compiles_for_msvc_abi", "core/a.c", SPDX + "long lf_a = sizeof(int *) == 8 ? 1l << 40 : 0;\n"),
    ("compiles_with_mingw", "core/a.c", SPDX + "#ifdef __MINGW32__\n#error no\n#endif\n"),
    ("manual_pages", "man/lungfish.1", '.\\" SPDX-License-Identifier: BSD-2-Clause\n.Sh NAME\n.Nope\n'),
    ("docs_name_what_is_there", "docs/TOUR.md", "# Tour\n\n`lf_gone` in `core/a.c`\n"),
    ("docs_name_what_is_there", "docs/TOUR.md", "# Tour\n\n`lf_a` in `core/gone.c`\n"),
    ("docs_name_what_is_there", "docs/storport.md", "# Tour\n\n`struct lf_gone` in `core/a.c`\n"),
    ("docs_name_what_is_there", "docs/storport.md", "# Tour\n\n`core/gone` holds nothing\n"),
    ("docs_name_what_is_there", "README.md", "# Fish\n\n```\n./core/gone.py core/a.c\n```\n"),
    ("docs_name_what_is_there", "README.md", "# Fish\n\n```\ncore/a a_case_that_is_gone\n```\n"),
    ("docs_name_what_is_there", "README.md", "# Fish\n\nas [above](#whale)\n"),
    ("tour_has_each_callback", "edge/storport/register.c", SPDX + "void a(void)\n{\n\tdata->HwStartIo = lf_a;\n}\n"),
    ("events_table", "trace/events.def", EVENTS + 'LF_EVENT(other, 1, VERBOSE, lun,,,)\n'),
    ("conformance_files", "core/commands.def",
     SPDX + "LF_COMMAND(READ_10, 0x28)\nLF_COMMAND_MORE(GET_LBA_STATUS, 0x9e)\nLF_COMMAND(READ_12, 0xa8)\n"),
    ("conformance_files", "tests/conformance/read_11.scsi", "# no such row\n"),
    ("events_table", "trace/events.def", EVENTS + 'LF_EVENT(iscsi_pdu, 2, VERBOSE, lun,,,)\n'),
]

# What a program prints and does, and how many passed, failed and skipped cases that is.
PROGRAMS = [
    ("lines_are_counted", "echo ok a; echo ok b; echo 'skip c: no tool'", (2, 0, 1)),
    ("failed_case", "echo ok a; echo 'not ok b'; exit 1", (1, 1, 0)),
    ("failed_case_without_status", "echo 'not ok b'", (0, 1, 0)),
    ("status_without_failed_case", "echo ok a; exit 3", (1, 1, 0)),
    ("death_without_lines", "kill -SEGV $$", (0, 1, 0)),
    ("no_case_at_all", "true", (0, 1, 0)),
    ("sanitizer_report", "echo ok a; echo report >$TMPDIR/sanitizer.1", (1, 1, 0)),
    ("too_slow", "echo ok a; sleep 60", (1, 1, 0)),
    ("a_child_left_behind_is_no_hang", "sleep 60 & echo ok a", (1, 0, 0)),
]

TOO_SLOW_S = 5  # time enough for its first line on a busy host
PATIENCE_S = 30  # and less than what is left behind lives

failures = 0


def report(name, good, why=""):
    global failures
    failures += not good
    print(("" if good else "# %s\n" % why.replace("\n", "\n# ")) + "%s %s" % ("ok" if good else "not ok", name), flush=True)


def plant(tree, files):
    for path, text in files.items():
        full = os.path.join(tree, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as out:
            out.write(text)


def tidy(changes):
    """Returns the rules that tests/tidy finds broken in the good tree with those changes, and its output."""
    tree = tempfile.mkdtemp(dir=SCRATCH)
    shutil.copy(os.path.join(SOURCE, ".clang-format"), tree)
    plant(tree, GOOD)
    plant(tree, changes)
    done = subprocess.run([os.path.join(SOURCE, "tests", "tidy"), tree], stdout=subprocess.PIPE, text=True)
    shutil.rmtree(tree)
    return {line[len("not ok tidy_"):] for line in done.stdout.splitlines() if line.startswith("not ok")}, done.stdout


def load_runner():
    path = os.path.join(SOURCE, "tests", "runner")
    loader = importlib.machinery.SourceFileLoader("runner", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("runner", loader))
    loader.exec_module(module)
    return module


def main():
    sys.dont_write_bytecode = True
    broken, output = tidy({})
    report("tidy_passes_a_good_tree", not broken, output)
    for number, (rule, path, text) in enumerate(BAD):
        broken, output = tidy({path: text})
        report("tidy_sees_%s_%d" % (rule, number), rule in broken, output)
    runner = load_runner()
    for name, script, expected in PROGRAMS:
        path = os.path.join(SCRATCH, name)
        plant(SCRATCH, {name: "#!/usr/bin/env bash\n" + script + "\n"})
        os.chmod(path, 0o755)
        runner.TIMEOUT_S = TOO_SLOW_S if name == "too_slow" else PATIENCE_S
        result = runner.run_program(runner.Program("system", name, "gcc", [path]))
        got = (len(result.passed), len(result.failed), len(result.skipped))
        report("runner_%s" % name, got == expected, "%s instead of %s: %s" % (got, expected, result.failed))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
