# SPDX-License-Identifier: BSD-2-Clause
"""For gui.py: what a person does with disks and drives."""
import json
import os
import re

from gui_window import LIST, NO, OK, YES
from prefix import dos_path, expect

MIB = 1 << 20
# Of what lungfish show -J says, whatever is not called the same.
OTHER_NAMES = {"blk": "block format", "physical_size": "physical block size", "rotation_rpm": "rotation",
               "saves": "saves its state"}
PREVENT_REMOVAL = bytes([0x1e, 0, 0, 0, 1, 0])


def connect_dialog(gui, ids):
    """Opened with the button."""
    gui.press_tool(ids["CONNECT"])
    return gui.dialog("the dialog that asks how to connect", ids["IMAGE"])


def without_an_adapter_it_offers_to_install(place):
    gui = place.open()
    box = gui.told("no Lungfish adapter", "Install the driver")
    place.show("no-adapter", box)
    gui.press(box, NO)
    gui.wait_closed(box)
    place.show("no-adapter-main")
    expect(not gui.buttons()[place.ids["CONNECT"]]["enabled"], "it would connect without an adapter")
    gui.screen.key("F10")
    install = [item for menu in gui.ask("menu", gui.main().handle) for item in menu["items"]
               if item["id"] == place.ids["INSTALL"]]
    expect(install and install[0]["enabled"], "the menu does not install")
    gui.screen.key("Escape", "Escape")


def the_offer_installs_the_driver(place):
    gui = place.open()
    gui.press(gui.told("Install the driver"), YES)
    box = gui.told("is installed")
    place.show("installed", box)
    gui.dismiss(box)
    code, out, err = place.wine.lungfish("status")
    expect(code == 0 and out.startswith("adapter"), "the adapter does not answer: %d %r %r" % (code, out, err))


def an_empty_list(place):
    gui = place.window()
    gui.wait(lambda: not gui.rows() and any("0 devices" in text for text in gui.status()), "an empty list")
    place.show("main-empty")
    enabled = {number for number, button in gui.buttons().items() if button["enabled"]}
    expect(place.ids["CONNECT"] in enabled, "nothing can be connected")
    wrong = enabled & {place.ids[name] for name in ("DISCONNECT", "INSERT", "EJECT", "PROPERTIES")}
    expect(not wrong, "what needs a device can be done without: %s" % wrong)


def connect_by_dialog(place):
    gui, ids, image = place.window(), place.ids, place.images.blank("dialog.img")
    dialog = connect_dialog(gui, ids)
    place.show("connect", dialog)
    gui.press(dialog, ids["BROWSE"])
    files = gui.wait(lambda: [other for other in gui.dialogs() if other.handle != dialog.handle], "the file dialog")[0]
    gui.settle(lambda: gui.again(files))
    gui.screen.type(dos_path(image))
    gui.screen.key("Return")
    gui.wait_closed(files)
    chosen = gui.again(dialog).find(ids["IMAGE"]).text
    expect(chosen.lower() == dos_path(image).lower(), "another image: " + chosen)
    gui.fill(dialog, ids["NAME"], "dialog")
    gui.press(dialog, OK)
    gui.wait_closed(dialog)
    row = gui.wait_row("dialog")
    expect((row["Type"], row["Size"], row["Image"]) == ("disk", "4M", dos_path(image)), row)
    device = place.wine.show("dialog")
    expect(device["blocks"] == 8192 and not device["flags"] & 1, device)


def drop_on_list(place, *paths):
    gui = place.window()
    answer = gui.screen.drag(paths, *gui.main().find(LIST).middle())
    expect(answer, "the window does not take files that are dropped")


def ids_of(place):
    code, out, err = place.wine.lungfish("list", "-J")
    expect(code == 0, err)
    return {device["image"]: device["id"] for device in json.loads(out)["devices"]}


def wait_image(gui, path):
    """Its row, when it has come."""
    name = dos_path(path)
    return gui.wait(lambda: next((row for row in gui.rows() if row["Image"] == name), None), "a row of " + name)


def connect_by_drop(place):
    image = place.images.blank("dropped by a person.img")
    drop_on_list(place, image)
    row = wait_image(place.gui, image)
    expect(row["Type"] == "disk" and row["ID"] in ids_of(place).values(), row)
    place.wine.disconnect(row["ID"])
    place.gui.wait_no_row(row["ID"])


def drop_of_several(place):
    """A disc is recognized by its name; one that cannot be is told, and the others come all the same."""
    images = [place.images.blank("first dropped.img"), place.images.blank("second dropped.img"), place.images.iso]
    empty = place.images.blank("empty dropped.img", 0)
    drop_on_list(place, *images, empty)
    gui = place.gui
    gui.dismiss(gui.told("empty dropped.img", "empty"))
    rows = [wait_image(gui, image) for image in images]
    expect([row["Type"] for row in rows] == ["disk", "disk", "CD/DVD"], rows)
    expect("read-only" in rows[2]["Flags"], rows[2])
    for row in rows:
        place.wine.disconnect(row["ID"])
        gui.wait_no_row(row["ID"])


def connect_by_command_shows_by_itself(place):
    gui = place.window()
    place.wine.connect(place.images.blank("command.img", 6 * MIB), "command", "--read-only")
    row = gui.wait_row("command")
    expect((row["Size"], row["Flags"]) == ("6M", "read-only"), row)
    place.wine.connect(place.images.iso, "drive", "--cdrom")
    gui.wait_row("drive")
    gui.wait(lambda: any("3 devices" in text for text in gui.status()), "the count in the status bar")
    place.show("main-devices")


def images_on_the_command_line(place):
    """Each is connected; one that was before is told."""
    image = place.images.blank("argument.img")
    gui = place.open(dos_path(image), dos_path(place.images.path("dialog.img")))
    box = gui.told("dialog.img", "already connected as dialog")
    gui.dismiss(box)
    row = wait_image(gui, image)
    place.wine.disconnect(row["ID"])
    gui.wait_no_row(row["ID"])


def click_heading(gui, heading):
    column = next(column for column in gui.table()["columns"] if column["text"] == heading)
    at = column["at"]
    gui.screen.click((at[0] + at[2]) // 2, (at[1] + at[3]) // 2)


def wait_order(gui, *names):
    gui.wait(lambda: [row["ID"] for row in gui.rows()] == list(names),
             "the order %s: %s" % (names, [row["ID"] for row in gui.rows()]))


def sort_by_any_column(place):
    gui = place.window()
    orders = {"ID": ("command", "dialog", "drive"), "Size": ("command", "dialog", "drive")}
    click_heading(gui, "Type")
    for heading, order in orders.items():
        click_heading(gui, heading)
        wait_order(gui, *order)
        click_heading(gui, heading)
        wait_order(gui, *reversed(order))
    click_heading(gui, "Image")
    images = [row["Image"] for row in gui.rows()]
    gui.wait(lambda: [row["Image"] for row in gui.rows()] == sorted(images, key=str.lower), "order of images")
    click_heading(gui, "ID")


def rates_rise(place):
    """While a program writes, and fall again."""
    gui, wine = place.window(), place.wine
    disk = wine.unit("dialog")
    noise = place.images.path("noise")
    with open(noise, "wb") as file:
        file.write(os.urandom(4 * MIB))
    row = gui.row("dialog")
    expect(row["Writes/s"] == "0" and row["MB/s"] == "0.0", row)
    for turn in range(1, 11):  # a busy host may look only when it is over
        process = wine.start(wine.own("pt"), wine.script(["write %s 0 %s 4096 4" % (disk, noise)] * 8))

        def look():
            row = gui.row("dialog")
            risen = re.search(r"^[1-9]\d+$", row["Writes/s"]) and re.search(r"^(?!0\.0$)\d+\.\d$", row["MB/s"])
            return "risen" if risen else process[0].poll() is not None and "over"
        seen = gui.wait(look, "rates that rise")
        code, out = wine.end(*process)
        expect(code == 0 and out.split().count("moved") == 8, out)
        if seen == "risen":
            break
    expect(seen == "risen", "they never rise")
    gui.wait_cell("dialog", "Writes/s", "^0$")
    gui.wait_cell("dialog", "Written", "^%dM$" % (32 * turn))


def properties_of(gui, dialog, ids):
    """What it says of the device itself, by names in small letters; its columns; how wide values are, but for paths."""
    table = gui.table(dialog.find(ids["ROWS"]))
    rows = [row["cells"] for row in table["rows"]]
    end = next(at for at, row in enumerate(rows) if at and not row[0].startswith(" "))
    values = [(row["cells"][1], row["needs"][1]) for row in table["rows"][1:end] if "\\" not in row["cells"][1]]
    return {name.strip().lower(): value for name, value in rows[1:end]}, table["columns"], values


def same(value, shown):
    """What lungfish show -J says, and what a person reads."""
    if isinstance(value, bool):
        return shown == ("yes" if value else "no")
    if value is None:
        return shown == "-"
    if isinstance(value, int):
        return re.search(r"\b%d\b" % value, shown)
    return shown == value


def properties_say_what_show_says(place):
    gui = place.window()
    gui.choose("dialog")
    gui.screen.key("alt+Return")
    dialog = gui.dialog("properties", place.ids["ROWS"])
    place.show("properties", dialog)
    rows, columns, values = properties_of(gui, dialog, place.ids)
    code, out, err = place.wine.lungfish("show", "-J", "dialog")
    expect(code == 0, err)
    device = json.loads(out)["devices"][0]
    expect(rows.pop("image") == dos_path(place.images.path("dialog.img")), rows)
    missing = []
    for key, value in device.items():
        if isinstance(value, (dict, list)) or key in ("image", "device"):
            continue
        shown = rows.get(key.replace("_", " "), rows.get(OTHER_NAMES.get(key)))
        if shown is None or not same(value, shown):
            missing.append("%s is %r, shown is %r" % (key, value, shown))
    expect(not missing, "\n".join(missing + [str(rows)]))
    area = dialog.find(place.ids["ROWS"]).client
    for value, needs in values:
        expect(columns[0]["width"] + needs < area[2] - area[0], "one has to scroll to see %r" % value)
    gui.screen.key("Escape")
    gui.wait_closed(dialog)


def eject_and_insert(place):
    gui, ids = place.window(), place.ids
    gui.choose("drive")
    gui.press_tool(ids["EJECT"])
    row = gui.wait_cell("drive", "Flags", "no medium")
    expect(not row["Image"], row)
    other = os.path.join(place.scratch, "other.iso")
    with open(place.images.iso, "rb") as disc, open(other, "wb") as copy:
        copy.write(disc.read())
    gui.press_tool(ids["INSERT"])
    files = gui.dialog("the file dialog")
    gui.screen.type(dos_path(other))
    gui.screen.key("Return")
    gui.wait_closed(files)
    gui.wait(lambda: gui.row("drive")["Image"] == dos_path(other), "the disc in the drive")
    expect(place.wine.show("drive")["image"].endswith("other.iso"), "another disc")


def a_locked_disc_and_then_force(place):
    """A disc that a program has locked: who ejects it is told, asked, and may have it his way."""
    gui, wine, ids = place.window(), place.wine, place.ids
    wine.good(wine.unit("drive"), PREVENT_REMOVAL)
    gui.wait_cell("drive", "Flags", "locked")
    gui.choose("drive")
    gui.press_tool(ids["EJECT"])
    box = gui.told("refused", "force")
    place.show("force-eject", box)
    focused = [child for child in box.below() if child.focus]
    expect(focused and focused[0].id == NO, "Return would force it: %s" % [str(child) for child in focused])
    gui.press(box, NO)
    gui.wait_closed(box)
    expect(gui.row("drive")["Image"], "it was ejected all the same")
    gui.press_tool(ids["EJECT"])
    gui.press(gui.told("force"), YES)
    gui.wait_cell("drive", "Flags", "no medium")


def a_veto_and_then_force(place):
    """Wine has no configuration manager that ejects: look.dll plays it, for the disks that the stand-in has."""
    gui, wine = place.window(), place.wine
    disk = wine.unit("command")
    expect(gui.ask("disks", *wine.units().values()) == 4, "not every function of the configuration manager is played")
    gui.screen.key("F5")
    gui.wait_cell("command", "Disk", "^%s$" % disk)
    gui.wait_cell("drive", "Disk", r"^CdRom\d+$")
    gui.ask("veto", "backup.exe")
    gui.choose("command")
    gui.screen.key("Delete")
    box = gui.told("refused", "in use", "backup.exe", "force")
    place.show("veto", box)
    gui.press(box, NO)
    gui.wait_closed(box)
    expect(wine.show("command")["state"] == 0, "it is no longer connected")
    expect(gui.ask("veto") == 1, "Windows was asked another number of times")
    gui.screen.key("Delete")
    gui.wait_no_row("command")
    expect(gui.ask("veto", "backup.exe") == 1, "Windows was not asked before it was disconnected")
    wine.connect(place.images.path("command.img"), "command")
    gui.ask("disks", *wine.units().values())
    gui.choose("command")
    gui.screen.key("Delete")
    gui.press(gui.told("backup.exe", "force"), YES)
    gui.wait_no_row("command")
    gui.ask("veto")


def disconnect_by_key(place):
    gui = place.window()
    gui.choose("drive")
    gui.screen.key("Delete")
    gui.wait_no_row("drive")
    image = place.images.blank("forced.img")
    place.wine.connect(image, "forced")
    gui.choose("forced")
    gui.screen.key("shift+Delete")
    box = gui.told("forced", "without asking")
    place.show("force-disconnect", box)
    gui.dismiss(box)
    gui.screen.key("shift+Delete")
    gui.press(gui.told("forced"), YES)
    gui.wait_no_row("forced")
    expect(set(ids_of(place).values()) == {"dialog"}, ids_of(place))


def keyboard_only(place):
    """Connect, choose, look at, disconnect, leave: the mouse lies in a corner."""
    gui, ids, screen = place.window(), place.ids, place.screen
    screen.hands("mousemove", 1919, 1199)
    image = place.images.blank("keys.img")
    screen.key("F10", "Down")
    gui.mark(ids["CONNECT"])
    place.show("menu")
    screen.key("Return")
    dialog = gui.dialog("the dialog that asks how to connect", ids["IMAGE"])
    expect(dialog.find(ids["IMAGE"]).focus, "the image has not the focus")
    screen.type(dos_path(image))
    screen.key("Return")
    gui.wait_closed(dialog)
    wait_image(gui, image)
    gui.wait(lambda: gui.main().find(LIST).focus, "the focus on the list")
    screen.key("Home")
    screen.key("Down")
    gui.wait(lambda: gui.rows()[1]["selected"] and gui.rows()[1]["focused"], "the second row")
    name = gui.rows()[1]["ID"]
    screen.key("shift+F10")
    items = [item["id"] for item in gui.popup()]
    expect(ids["DISCONNECT"] in items and ids["PROPERTIES"] in items, items)
    place.show("context-menu")
    gui.mark(ids["PROPERTIES"])
    screen.key("Return")
    dialog = gui.dialog("properties", ids["ROWS"])
    expect(name in dialog.text, dialog)
    screen.key("Escape")
    gui.wait_closed(dialog)
    screen.key("Delete")
    gui.wait_no_row(name)
    screen.key("alt+F4")
    code = gui.ended()
    place.gui = None
    expect(code == 0, "it ended with status %d" % code)


def its_place_is_kept(place):
    gui = place.window()
    place.screen.hands("search", "--class", "lungfish-gui", "windowsize", "%@", 1111, 555, "windowmove", "%@", 77, 99)
    gui.wait(lambda: gui.main().at == (77, 99, 77 + 1111, 99 + 555), "the place: %s" % (gui.main().at,))
    click_heading(gui, "Size")
    place.screen.key("alt+F4")
    expect(gui.ended() == 0, "its end")
    gui = place.open()
    gui.wait(lambda: gui.main().at == (77, 99, 77 + 1111, 99 + 555), "the same place: %s" % (gui.main().at,))
