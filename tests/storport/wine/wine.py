#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc windows-clang
"""lungfish.sys and lungfish.exe, as they are shipped, under Wine: installed, started, used, stopped, loaded anew.

The cases run in the order of CASES: each finds what those before it have left. A line "not ok" in the stand-in's log
fails the case that it came in. Names that begin with row_ are those of docs/windows.md. What gcc built goes through all of
them, what clang built, from the same source, through SHORT.
"""
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path[:0] = [HERE] + [os.path.join(ROOT, "tests", folder) for folder in ("control", "lib", "windows")]
import bad  # noqa: E402
import data  # noqa: E402
import images as pictures  # noqa: E402
import prefix as prefixes  # noqa: E402
import rows  # noqa: E402
import stops  # noqa: E402
import tracing  # noqa: E402
from place import Place, crash_by, judge  # noqa: E402
from prefix import expect  # noqa: E402

WHOLE_S = 570  # before the runner loses patience, which would not say what was waited for
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))


def make(place):
    """All at once, for it takes a while."""
    place.take(os.path.join(BUILD, "out"))
    problems = []

    def attempt(what):
        try:
            what()
        except prefixes.Failure as failure:
            problems.append(str(failure))
        except Exception:  # pylint: disable=broad-except
            problems.append(traceback.format_exc())

    def make_images():
        place.images = pictures.Images(os.path.join(place.scratch, "images"))
    threads = [threading.Thread(target=attempt, args=(what,), daemon=True)
               for what in (place.build, place.wine.begin, make_images)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(not problems, "\n".join(problems))


def wine_comes_up(place):
    make(place)
    place.wine.bring()


# ---- The stand-in's own proof ----

def the_stand_in_drives_a_small_miniport(place):
    wine = place.wine
    shutil.copy(os.path.join(HERE, "miniport", "miniport.inf"), place.built)
    open(os.path.join(place.built, "miniport.cat"), "wb").close()
    wine.setup("install", os.path.join(place.built, "miniport.inf"), "root\\miniport")
    wine.wait_log(r"unit 0:0 came: PhysicalDrive40")
    image = place.images.path("noise")
    with open(image, "wb") as file:
        file.write(os.urandom(1 << 20))
    wine.ctl("set", "map_fails", 3)
    answers = wine.pt("write PhysicalDrive40 0 %s 65536 16" % image, "compare PhysicalDrive40 %s 4096" % image,
                      "scsi Scsi20: 0 0 120000002400 in 36 -", "scsi Scsi20: 1 0 120000002400 in 36 -")
    expect(answers[0] == "moved 1048576" and answers[1] == "compared 256 different 0", answers)
    expect(answers[2].startswith("00000000 scsi 00 length 36") and answers[3].startswith("c000000e"), answers)


def a_crash_is_seen_and_its_source_line_said(place):
    """The miniport breaks on purpose; what is checked is that a case would have failed, and with what words."""
    wine = place.wine
    text = "\n".join(crash_by(wine, lambda: wine.ctl("usage", "x", 0, 7)))
    source = os.path.join(HERE, "miniport", "miniport.c")
    with open(source) as file:
        line = next(at for at, line in enumerate(file, 1) if "the crash is here" in line)
    expect(re.search(r"break_now at \S*miniport\.c:%d\b" % line, text), text)
    wine.setup("remove", "root\\miniport")


# ---- Cases ----

CASES = [
    wine_comes_up,
    the_stand_in_drives_a_small_miniport,
    a_crash_is_seen_and_its_source_line_said,
    rows.row_20_inf_installs,
    rows.row_02_registers_as_a_virtual_miniport,
    rows.row_04_identify_by_scsipoint,
    rows.row_22_one_protocol_for_driver_and_command,
    rows.row_05_connect_disk_read_only_disk_and_cdrom,
    rows.row_07_list,
    rows.row_11_inquiry,
    rows.row_12_mode_sense,
    rows.row_13_read_capacity,
    rows.row_10_absent_target_and_absent_lun,
    rows.row_14_read_and_write,
    rows.row_15_beyond_2_tb,
    rows.row_16_worker_threads,
    rows.row_17_create_impersonates,
    rows.row_18_irps_carry_the_srbs_mdl,
    rows.row_09_outstanding_commands_are_counted,
    rows.row_03_a_service_request_pends_and_is_cancelled,
    rows.row_08_the_volume_of_an_image,
    rows.row_06_disconnect_reports_missing_first,
    rows.row_19_close_leaves_nothing_open,
    rows.row_23_trace_prints,
    tracing.row_23_a_life_in_events,
    tracing.row_23_a_session_comes_and_goes,
    data.fat_written_by_write_file,
    data.fat_written_by_pass_through,
    data.ntfs_written_by_write_file,
    data.ntfs_written_by_pass_through,
    data.iso_read_as_a_cdrom,
    data.a_read_only_file,
    data.a_file_that_vanishes,
    data.an_image_on_its_own_disk,
    data.old_srbs,
    data.a_disk_that_grows,
    data.insert_and_eject,
    data.resets_while_it_writes,
    data.no_mapping_and_no_memory_are_retried,
    data.sleep_and_flush,
    data.other_functions_of_an_srb,
    bad.control_codes,
    bad.lengths_and_versions,
    bad.paths,
    bad.files,
    bad.callers,
    bad.no_memory_for_a_connection,
    stops.disconnect_by_force,
    stops.the_adapter_goes_by_surprise,
    stops.stop_unload_reload,
    stops.old_srbs_from_the_start,
    stops.no_memory_at_the_start,
    stops.no_pool_is_left,
    stops.a_crash_of_the_driver_names_its_line,
    stops.a_null_dereference_names_its_line,
]


# Of the driver that clang built: a life of each kind, and that its crashes name their lines, by its PDB.
SHORT = [
    wine_comes_up,
    rows.row_20_inf_installs,
    rows.row_02_registers_as_a_virtual_miniport,
    rows.row_04_identify_by_scsipoint,
    rows.row_05_connect_disk_read_only_disk_and_cdrom,
    rows.row_14_read_and_write,
    rows.row_08_the_volume_of_an_image,
    rows.row_06_disconnect_reports_missing_first,
    data.fat_written_by_write_file,
    data.ntfs_written_by_pass_through,
    data.iso_read_as_a_cdrom,
    data.resets_while_it_writes,
    data.no_mapping_and_no_memory_are_retried,
    stops.disconnect_by_force,
    stops.stop_unload_reload,
    stops.no_pool_is_left,
    stops.a_crash_of_the_driver_names_its_line,
    stops.a_null_dereference_names_its_line,
]
# All the others stand on these.
FOOTING = (wine_comes_up, the_stand_in_drives_a_small_miniport, rows.row_20_inf_installs)


def run_case(case, place):
    """None, or why it failed; whether the driver is dead."""
    problem = None
    try:
        case(place)
    except prefixes.Failure as failure:
        problem = str(failure)
    except Exception:  # pylint: disable=broad-except
        problem = traceback.format_exc()
    held, crashed = judge(place.wine)
    if held:
        problem = "\n".join(([problem] if problem else []) + held)
    return problem, crashed or place.wine.stuck or bool(problem and case in FOOTING)


def say(problem):
    print("# " + problem.replace("\n", "\n# "))


def run_cases(place, cases):
    """Whether one failed. What Wine said is told once: the first failure is the one that is to be understood."""
    failed = False
    for number, case in enumerate(cases, 1):
        start = time.monotonic()
        problem, dead = run_case(case, place)
        if problem:
            say(problem)
        if problem and not failed:
            say("\n    ".join(["Wine said last:"] + place.wine.wine_said()))
        failed = failed or bool(problem)
        print("%s %s" % ("not ok" if problem else "ok", case.__name__), flush=True)
        if "LF_TIMES" in os.environ:
            print("# %.1f s" % (time.monotonic() - start), flush=True)
        if dead:
            tell_not_tried(cases[number:])
            break
    return failed


def tell_not_tried(cases):
    """In one line: what they would say is the same."""
    if cases:
        print("not ok %s and %d more: not tried, see above" % (cases[0].__name__, len(cases) - 1))


def run_in_time(place, cases):
    """Whether one failed; the place is gone then."""
    def too_late(*_):
        place.wine.stuck = True
        raise prefixes.Failure("all together take too long: %d s" % WHOLE_S)
    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(WHOLE_S)
    try:
        return run_cases(place, cases)
    finally:
        signal.alarm(0)
        place.wine.close()


def main():
    missing = prefixes.missing_tools()
    cases = SHORT if os.environ.get("BUILD_KIND") == "windows-clang" else CASES
    if missing:
        for case in cases:
            print("skip %s: not installed: %s" % (case.__name__, " ".join(missing)))
        return 0
    scratch = tempfile.mkdtemp(prefix="wine", dir=os.environ.get("TMPDIR", "/tmp"))
    place = Place(scratch)
    named = [case for case in CASES if case is wine_comes_up or case.__name__ in sys.argv[1:]]
    cases = named if sys.argv[1:] else cases
    return 1 if run_in_time(place, cases) else 0


if __name__ == "__main__":
    sys.exit(main())
