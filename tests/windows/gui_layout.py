# SPDX-License-Identifier: BSD-2-Clause
"""For gui.py: what is cut, what overlaps, what does not fit."""
from gui_display import HEIGHT, WIDTH
from gui_window import HINT, LIST, STATUS, TOOLBAR

STATIC_KIND, BUTTON_KIND = 0x1f, 0xf
STATIC_WRAPS = (0, 1, 2)  # SS_LEFT, SS_CENTER, SS_RIGHT
STATIC_LINE = (11, 12)  # SS_SIMPLE, SS_LEFTNOWORDWRAP
STATIC_ELLIPSIS = 0xc000
CHECKS = (2, 3, 4, 5, 6, 9)
GROUP = 7
MULTILINE = 0x2000
BESIDE_CHECK, BESIDE_BUTTON, BESIDE_GROUP, BESIDE_CHOICE = 16, 8, 16, 22  # pixels at 96 DPI that are not text
BESIDE_CELL, BESIDE_HEADING, BESIDE_ARROW, BESIDE_PART = 8, 12, 20, 4
SORTED = 0x600  # HDF_SORTUP, HDF_SORTDOWN


def inside(inner, outer):
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def apart(one, other):
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def size(at):
    return at[2] - at[0], at[3] - at[1]


def is_group(control):
    return control.kind == "Button" and control.style & BUTTON_KIND == GROUP


def text_needs(control):
    """Width and height that its text wants; None: it wants nothing."""
    scale = control.dpi / 96
    line, wrapped = control.line, control.wrapped
    if not control.text:
        return None
    if control.kind == "Static":
        kind = control.style & STATIC_KIND
        if kind in STATIC_WRAPS and not control.style & STATIC_ELLIPSIS:
            return wrapped
        return line if kind in STATIC_LINE else None
    if control.kind == "Button":
        kind = control.style & BUTTON_KIND
        beside = BESIDE_CHECK if kind in CHECKS else BESIDE_GROUP if kind == GROUP else BESIDE_BUTTON
        text = wrapped if control.style & MULTILINE else line
        return text[0] + beside * scale, text[1]
    if control.kind == "ComboBox":
        return max(control.widest, line[0]) + BESIDE_CHOICE * scale, line[1]
    if control.kind == "Edit":
        return 0, line[1]
    return None


def problems_of(window):
    """Of a window on the top level and all that is in it."""
    found = []
    if not inside(window.at, (0, 0, WIDTH, HEIGHT)):
        found.append("%s is not wholly on the screen" % window)
    for parent in [window] + list(window.below()):
        children = [child for child in parent.children if size(child.at) != (0, 0)]
        for child in children:
            area = parent.client
            if child.kind == "SysHeader32":  # as wide as its columns; the list scrolls
                area = (min(area[0], child.at[0]), area[1], max(area[2], child.at[2]), area[3])
            if not inside(child.at, area):
                found.append("%s is not within %s, which has %s" % (child, parent, area))
            needs = text_needs(child)
            room = size(child.client if child.kind == "Edit" else child.at)
            if needs and (needs[0] > room[0] or needs[1] > room[1]):
                found.append("%s has room for %s, its text needs %s" % (child, room, tuple(needs)))
        for at, one in enumerate(children):
            for other in children[at + 1:]:
                fits = apart(one.at, other.at) or {one.id, other.id} == {HINT, LIST} or is_group(one) and inside(other.at, one.at) or \
                    is_group(other) and inside(one.at, other.at)
                if not fits:
                    found.append("%s overlaps %s" % (one, other))
    return found


def problems_of_table(table, dpi):
    """Columns that are narrower than what is in them."""
    found = []
    for number, column in enumerate(table["columns"]):
        beside = BESIDE_HEADING + (BESIDE_ARROW if column["format"] & SORTED else 0)
        needs = max([column["needs"] + beside * dpi / 96] +
                    [row["needs"][number] + BESIDE_CELL * dpi / 96 for row in table["rows"]])
        if column["width"] < needs:
            found.append("column %s is %d wide, %d are needed" % (column["text"], column["width"], needs))
    return found


def problems_of_main(gui):
    """The window with its list, status bar and toolbar."""
    main = gui.main()
    dpi = main.dpi
    table = gui.table()
    found = problems_of(main) + problems_of_table(table, dpi)
    if table["rows"] and any(child.id == HINT for child in main.children):
        found.append("the hint lies on the list, which has rows")
    for part in gui.ask("parts", main.find(STATUS).handle):
        if part["needs"] + BESIDE_PART * dpi / 96 > size(part["at"])[0]:
            found.append("%r of the status bar needs %d, has %s" % (part["text"], part["needs"], part["at"]))
    toolbar = main.find(TOOLBAR)
    for button in gui.ask("buttons", toolbar.handle):
        if not button["hidden"] and not inside(button["at"], toolbar.client):
            found.append("the button %r at %s is cut by its bar, %s" % (button["text"], button["at"], toolbar.client))
        if button["needs"] > size(button["at"])[0]:
            found.append("the button %r needs %d, is at %s" % (button["text"], button["needs"], button["at"]))
    return found


def problems_of_dialog(gui, dialog):
    found = problems_of(dialog)
    for child in dialog.below():
        if child.kind == "SysListView32":
            found += problems_of_table(gui.table(child), child.dpi)
    return found
