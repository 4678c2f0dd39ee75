# SPDX-License-Identifier: BSD-2-Clause
"""For wine.py: how disks and adapters go, and what is left then."""
import os
import re

import images as pictures
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
    """Each allocation of DriverEntry and HwFindAdapter fails in its turn: the adapter does not start, nothing stays."""
    wine = place.wine
    config = os.path.join(wine.drive, "standin.cfg")
    refusals = 0
    for number in range(1, 100):
        unload(place) if number == 1 else clear(wine)
        with open(config, "w") as file:
            file.write("fail_pool %d\n" % number)
        wine.log_news()
        begin(place)
        wine.wait_log(r"^(started|HwFindAdapter: 2|unloaded)")
        log = wine.log()[wine.log_at:]
        if not any(line.startswith("an allocation") for line in log):
            break
        refusals += "started" not in log
    os.unlink(config)
    expect("started" in log and refusals > 3, "%d refusals: %s" % (refusals, log))
    reload(place)


def clear(wine):
    """Whether it has started or not."""
    wine.setup("remove", "root\\lungfish")
    wine.wine(wine.own("setup"), "stop", "lungfish")
    wine.wait_log("^unloaded, 0 bytes")


def no_pool_is_left(place):
    unload(place)
    found = re.findall(r"^unloaded, (\d+) bytes", "\n".join(place.wine.log()), re.M)
    expect(len(found) > 5 and set(found) == {"0"}, "bytes of pool left at each unload: %s" % found)
    install(place)


def a_crash_of_the_driver_names_its_line(place):
    """The shipped driver is given a request whose address is nowhere: the case shows what any crash would show."""
    wine = place.wine
    wine.log_news()
    code, _ = wine.wine(wine.own("ctl"), "crash")
    expect(code != 0, "the driver took a bad request")
    frames = [(found.group(1), int(found.group(2), 16)) for found in
              (re.match(r"frame (\S+) 0x([0-9a-f]+)$", line) for line in wine.log_news()) if found]
    places = wine.source_lines(frames)
    expect(places and re.search(r" at \S*edge/storport/\w+\.c:\d+$", places[0]), "places: %s" % places)
    expect(any("start" in place for place in places), "places: %s" % places)
