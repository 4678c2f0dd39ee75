# SPDX-License-Identifier: BSD-2-Clause
"""For wine.py: how disks and adapters go, and what is left then."""
import os
import re

import images as pictures
import prefix as prefixes
import symbols
from place import crash_by
from prefix import expect
from rows import begin, install, reload, unload


def disconnect_by_force(place):
    """With commands in flight: they end, nobody waits for ever, the disk goes."""
    wine, images = place.wine, place.images
    disk = wine.connect(images.blank("torn.img"), "torn")
    wine.ctl("set", "hold_io", 1)
    reader, out = wine.start(wine.own("pt"), wine.script(["read %s 0 65536 - 4096 16" % disk]))
    wine.wait_state(outstanding=16)
    code, _, err = wine.lungfish("disconnect", "--force", "torn")
    expect(code == 0, err)
    wine.ctl("set", "hold_io", 0)
    code, _ = wine.end(reader, out)
    expect(code == 0, "the program that read did not end well")
    wine.wait_gone(disk)
    wine.wait_no_devices()
    wine.wait_state(outstanding=0, handles=0, files=0)


def the_adapter_goes_by_surprise(place):
    wine, images = place.wine, place.images
    disk = wine.connect(images.blank("lost.img"), "lost")
    keeper, release = wine.keep_open(disk)
    wine.ctl("surprise")
    answer, = wine.pt("read %s 0 4096 - 4096 1" % disk)
    expect(answer.startswith("error") or answer.startswith("cannot open") or answer == "moved 4096", answer)
    release()
    wine.end(*keeper)
    reload(place)
    expect(wine.ctl("units").strip() == "", "units are there after a new start")


def stop_unload_reload(place):
    """With disks connected, three times; each time all is there that was written."""
    wine, images = place.wine, place.images
    for turn, source in enumerate((images.fat, images.fat_after, images.fat)):
        disk = wine.connect(images.blank("turn-%d.img" % turn), "turn")
        answer, = wine.pt("write %s 0 %s 65536 16" % (disk, source))
        expect(answer == "moved 4194304", answer)
        reload(place)
        expect(pictures.same(images.path("turn-%d.img" % turn), source), "what was written is lost")


def old_srbs_from_the_start(place):
    wine, images = place.wine, place.images
    config = os.path.join(wine.drive, "standin.cfg")
    unload(place)
    with open(config, "w") as file:
        file.write("old_srbs 1\n")
    install(place)
    os.unlink(config)
    disk = wine.connect(images.blank("older.img"), "older")
    answers = wine.pt("write %s 0 %s 65536 16" % (disk, images.fat), "compare %s %s 65536" % (disk, images.fat))
    expect(answers == ["moved 4194304", "compared 64 different 0"], answers)
    wine.disconnect("older")
    wine.wait_gone(disk)


def no_memory_at_the_start(place):
    """Each allocation of DriverEntry, then of HwFindAdapter, fails in its turn: it does not start, and nothing stays."""
    wine = place.wine
    config = os.path.join(wine.drive, "standin.cfg")
    unload(place)
    refused = 0
    for number in range(1, 100):
        with open(config, "w") as file:
            file.write("fail_pool %d\n" % number)
        wine.log_news()
        begin(place)
        wine.wait_log("^(started|HwFindAdapter: 2|unloaded)")
        # Whether it has started or not.
        wine.setup("remove", "root\\lungfish")
        wine.wine(wine.own("setup"), "stop", "lungfish")
        wine.wait_log("^unloaded, 0 bytes")
        log = [re.sub(r"^registered.*", "registered", line) for line in wine.log()[wine.log_at:]]
        refused += "registered" not in log
        if "an allocation fails, as was asked" not in log[:log.index("registered") if "registered" in log else None]:
            break
    expect(refused, "DriverEntry needs no memory")
    with open(config, "w") as file:
        file.write("short_start 1\n")
    wine.log_news()
    install(place)
    os.unlink(config)
    answers = re.findall(r"^short of allocation \d+: (\w+)$", "\n".join(wine.log()[wine.log_at:]), re.M)
    expect(answers.count("refused") > 3 and answers[-1] == "found", "answers: %s" % answers)
    reload(place)


def no_pool_is_left(place):
    unload(place)
    found = re.findall(r"^unloaded, (\d+) bytes", "\n".join(place.wine.log()), re.M)
    expect(len(found) > 3 and set(found) == {"0"}, "bytes of pool left at each unload: %s" % found)
    install(place)


def places_of(problems):
    return [line.strip() for line in problems if line.startswith("    ")]


def a_crash_of_the_driver_names_its_line(place):
    """The shipped driver is given a request whose address is nowhere: the case shows what any crash would show."""
    problems = crash_by(place.wine, lambda: place.wine.ctl("crash"))
    places = places_of(problems)
    expect(places and re.search(r" at \S*edge/storport/\w+\.c:\d+$", places[0]), "places: %s" % problems)
    expect(any("lf_start_io at " in line for line in places), "places: %s" % problems)


def connect_one(place):
    """Not by the command: Wine keeps the device interface of a driver that died, and it looks for that."""
    place.wine.must(prefixes.connect_message(place.images.blank("broken.img"), "broken"))
    return place.wine.unit("broken")


def reset_one(place):
    """The clock runs while a reset waits, here for a read that the file system keeps."""
    wine, disk = place.wine, connect_one(place)
    wine.ctl("set", "hold_io", 1)
    reader, _ = wine.start(wine.own("pt"), wine.script(["read %s 0 4096 - 4096 1" % disk]))
    try:
        wine.wait_state(outstanding=1)
        wine.ctl("reset", "lun", 0, 0)
    finally:
        wine.kill(reader)


# A function of each context that the driver has, its file, and what it takes to get there once the driver is installed.
BREAKS = (("DriverEntry", "programs/driver/driver.c", None), ("lf_start_io", "edge/storport/srb.c", None),
          ("worker_main", "store/file_nt_threads.c", connect_one), ("timer_fired", "edge/storport/reset.c", reset_one),
          ("unload", "edge/storport/register.c", unload))


def a_null_dereference_names_its_line(place):
    """In DriverEntry, at DISPATCH_LEVEL, in a thread, in a DPC, on the way out: a case fails at once and says where."""
    for function, source, then in BREAKS:
        break_at(place, function, source, then)


def break_at(place, function, source, then):
    def crash():
        install(place)
        if then:
            then(place)
    wine, image = place.wine, os.path.join(place.shipped, "lungfish.sys")
    wine.wine(wine.own("setup"), "remove", "root\\lungfish")
    offset = symbols.address_of(image, function, source)
    wanted = "%s at %s" % symbols.places(image, [offset])[0][-1]
    with open(os.path.join(wine.drive, "standin.cfg"), "w") as file:
        file.write("break_at %d\n" % offset)
    problems = crash_by(wine, crash)
    os.unlink(os.path.join(wine.drive, "standin.cfg"))
    places = places_of(problems)
    expect(places and places[0] == wanted, "%s: not %s but %s" % (function, wanted, problems))
