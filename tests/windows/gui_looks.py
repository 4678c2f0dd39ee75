# SPDX-License-Identifier: BSD-2-Clause
"""For gui.py: everything once, at each scale and in each theme: nothing cut, nothing overlapping, columns that fit."""
import gui_cases as cases
from gui_window import NO, OK
from prefix import dos_path, expect

DARK, LIGHT = 100, 155  # of 255, how bright


def brightness(color):
    """Of a COLORREF."""
    return sum(color >> shift & 255 for shift in (0, 8, 16)) // 3


def in_theme(place):
    """The list's colours, and most of what is on the screen."""
    gui = place.gui
    table = gui.table()
    back, text = brightness(table["background"]), brightness(table["color"])
    main = gui.main()
    _, rows = place.screen.pixels(main.client)
    points = [row[at] for row in rows[::4] for at in range(0, len(row), 12)]
    share = sum(point < DARK for point in points) / len(points)
    if place.theme == "dark":
        expect(back < DARK and text > LIGHT and share > 0.8, "not dark: list %d, text %d, %.2f" % (back, text, share))
    else:
        expect(back > LIGHT and text < DARK and share < 0.2, "not light: list %d, text %d, %.2f" % (back, text, share))


def round_of(place, scale, theme):
    """Every window that there is."""
    place.shut()
    place.appear(scale, theme)
    for name in cases.ids_of(place).values():
        place.wine.disconnect(name)
    ids = place.ids
    gui = place.open()
    expect(gui.main().dpi == 96 * scale // 100, "it believes in %d dots an inch" % gui.main().dpi)
    gui.wait(lambda: any("0 devices" in text for text in gui.status()), "an empty list")
    place.show("main-empty")
    place.wine.connect(place.images.path("dialog.img"), "dialog", "--read-only")
    place.wine.connect(place.images.iso, "a-drive-with-a-long-name", "--cdrom")
    gui.wait_row("a-drive-with-a-long-name")
    gui.choose("dialog")
    place.show("main-devices")
    in_theme(place)
    dialog = cases.connect_dialog(gui, ids)
    place.show("connect", dialog)
    path = place.images.path("nowhere.img")
    gui.fill(dialog, ids["IMAGE"], dos_path(path))
    gui.press(dialog, OK)
    gui.wait_closed(dialog)
    box = gui.told("no such file")
    place.show("error", box)
    gui.dismiss(box)
    gui.screen.key("alt+Return")
    dialog = gui.dialog("properties", ids["ROWS"])
    place.show("properties", dialog)
    gui.screen.key("Escape")
    gui.wait_closed(dialog)
    gui.screen.key("shift+Delete")
    box = gui.told("without asking")
    place.show("force", box)
    gui.press(box, NO)
    gui.wait_closed(box)


def at_100_light(place):
    round_of(place, 100, "light")


def at_100_dark(place):
    round_of(place, 100, "dark")


def at_200_light(place):
    round_of(place, 200, "light")


def at_200_dark(place):
    round_of(place, 200, "dark")
