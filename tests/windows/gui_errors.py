# SPDX-License-Identifier: BSD-2-Clause
"""For gui.py: what a person is told when an image cannot be connected: each kind, word by word."""
import gui_cases as cases
from gui_window import OK
from prefix import dos_path, expect


def refused(place, image, *words, block_size=None, name=None):
    """By the dialog; what is told has the image's name and these words, and nothing comes."""
    gui, ids = place.window(), place.ids
    before = [row["ID"] for row in gui.rows()]
    dialog = cases.connect_dialog(gui, ids)
    gui.fill(dialog, ids["IMAGE"], image)
    if name:
        gui.fill(dialog, ids["NAME"], name)
    if block_size:
        gui.pick(dialog, ids["BLOCK_SIZE"], block_size)
    gui.press(dialog, OK)
    gui.wait_closed(dialog)
    box = gui.told("Connecting", *words)
    expect("lungfish:" not in box.words(), "it speaks as the command does: " + box.words())
    place.show("error-" + words[-1].replace(" ", "-").replace("'", ""), box)
    gui.dismiss(box)
    expect([row["ID"] for row in gui.rows()] == before, "something came or went")


def no_such_file(place):
    path = place.images.path("nowhere.img")
    refused(place, dos_path(path), dos_path(path), "no such file")


def a_directory(place):
    refused(place, dos_path(place.images.folder), "directory")


def an_absent_drive(place):
    """As a drive that is mapped for the person, and not for the elevated program."""
    refused(place, "Q:\\disk.img", "Q:\\disk.img", "does not see drives", "name the share")


def in_use(place):
    wine, image = place.wine, place.images.blank("held.img")
    wine.count += 1
    sign = "%s/sign-%d" % (wine.scratch, wine.count)
    holder = wine.start(wine.own("pt"), wine.script(["hold " + dos_path(image), "wait " + sign]))
    wine.wait_output(holder[1], "opened")
    refused(place, dos_path(image), "in use by another program")
    open(sign, "w").close()
    wine.end(*holder)


def connected_already(place):
    refused(place, dos_path(place.images.path("dialog.img")), "already connected as dialog")
    refused(place, dos_path(place.images.blank("another.img")), "the name dialog is taken", name="dialog")


def an_empty_file(place):
    refused(place, dos_path(place.images.blank("empty.img", 0)), "empty")


def a_wrong_block_size(place):
    refused(place, dos_path(place.images.blank("odd.img", 512 * 9)), "multiple", block_size="4096")


def permission(place):
    """The stand-in says that the caller is no administrator."""
    place.window()
    place.wine.ctl("set", "deny", 1)
    try:
        gui = place.gui
        gui.wait(lambda: any("permission denied" in child.text for child in gui.main().below()), "permission denied")
        place.show("permission-main")
    finally:
        place.wine.ctl("set", "deny", 0)
    gui.wait_row("dialog")
