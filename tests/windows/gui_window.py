# SPDX-License-Identifier: BSD-2-Clause
"""For gui.py: lungfish-gui.exe as it runs, what its windows show (look.dll tells), and how a person finds a thing in them
and presses it."""
import json
import os
import re
import socket
import time

from prefix import Failure, dos_path, expect

WAIT_S = 60  # on a machine that does ten other things
FOCUS_S = 10
MAIN = "LungfishWindow"
DIALOG, POPUP = "#32770", "#32768"
LIST, STATUS, TOOLBAR, HINT = 200, 201, 202, 203
OK, YES, NO = 1, 6, 7
MENUS_MAX = 6


def identifiers(root):
    """Of programs/gui/ids.h, without what they all begin with."""
    with open(os.path.join(root, "programs", "gui", "ids.h")) as file:
        return {name: int(number) for name, number in re.findall(r"#define LF_(?:ID_)?(\w+)\s+(\d+)", file.read())}


class Control:
    """One window, at one time."""

    def __init__(self, facts):
        self.handle, self.parent, self.owner = facts["handle"], facts["parent"], facts["owner"]
        self.kind, self.text, self.id, self.style = facts["class"], facts["text"], facts["id"], facts["style"]
        self.at, self.client = tuple(facts["at"]), tuple(facts["client"])
        self.line, self.wrapped, self.dpi = facts["line"], facts["wrapped"], facts["dpi"]
        self.enabled, self.focus, self.checked = bool(facts["enabled"]), bool(facts["focus"]), facts["checked"]
        self.choices, self.widest = facts.get("choices", []), facts.get("widest", 0)
        self.children = []

    def middle(self):
        return middle(self.at)

    def below(self):
        """Its children and theirs."""
        for child in self.children:
            yield child
            yield from child.below()

    def find(self, number):
        for child in self.below():
            if child.id == number and child.kind != "Static":
                return child
        raise Failure("%s has no control %d: %s" % (self, number, ["%s" % child for child in self.below()]))

    def words(self):
        """What it says: of a message box, the message."""
        return " ".join(child.text for child in self.below() if child.kind == "Static" and child.text)

    def __str__(self):
        return '%s %d "%s" at %s' % (self.kind, self.id, self.text, self.at)


def lies_in(place, window):
    return place and place[0] >= window.at[0] and place[1] >= window.at[1] and place[2] <= window.at[2] and \
        place[3] <= window.at[3]


def middle(at):
    return (at[0] + at[2]) // 2, (at[1] + at[3]) // 2


class Gui:
    def __init__(self, place, *arguments):
        self.place, self.wine, self.screen = place, place.wine, place.screen
        library = os.path.join(self.wine.built, "look.dll")
        port = library + ".port"
        if os.path.exists(port):
            os.unlink(port)
        program = os.path.join(self.wine.shipped, "lungfish-gui.exe")
        self.process, self.out = self.wine.start(program, *arguments)
        code, out = self.wine.wine(self.wine.own("attach"), MAIN, dos_path(library), str(WAIT_S))
        if code:
            self.wine.kill(self.process)
            raise Failure("no window came: " + out)
        self.wait(lambda: os.path.exists(port) and os.path.getsize(port), "a port of look.dll")
        with open(port) as file:
            self.connection = socket.create_connection(("127.0.0.1", int(file.read())), timeout=WAIT_S)
        self.answers = self.connection.makefile("r", encoding="utf-8")
        self.wait(lambda: any(window.kind == MAIN for window in self.windows()), "the window to be shown")

    def ended(self, seconds=WAIT_S):
        """Its exit status."""
        code, _ = self.wine.end(self.process, self.out, seconds)
        self.answers.close()
        self.connection.close()
        return code

    def kill(self):
        if self.process.poll() is None:
            self.wine.kill(self.process)
        self.answers.close()
        self.connection.close()

    @staticmethod
    def wait(question, what, seconds=WAIT_S):
        """Until the answer is something."""
        end = time.monotonic() + seconds
        while True:
            answer = question()
            if answer:
                return answer
            expect(time.monotonic() < end, "waited in vain for " + what)
            time.sleep(0.05)

    # ---- What it shows ----

    def ask(self, *words):
        self.connection.sendall((" ".join(words) + "\n").encode())
        line = self.answers.readline()
        expect(line, "the program has ended")
        return json.loads(line)

    def windows(self):
        """Those on the top level, the uppermost first."""
        controls = [Control(facts) for facts in self.ask("windows")]
        by_handle = {control.handle: control for control in controls}
        roots = []
        for control in controls:
            parent = by_handle.get(control.parent)
            (parent.children if parent else roots).append(control)
        return roots

    def main(self):
        return next(window for window in self.windows() if window.kind == MAIN)

    def dialogs(self):
        return [window for window in self.windows() if window.kind == DIALOG]

    def dialog(self, what="a dialog", holding=None):
        """The uppermost, when it has come and can be used. holding: a control that it has."""
        def look():
            for window in self.dialogs():
                if window.enabled and (holding is None or any(child.id == holding for child in window.below())):
                    return window
            return None
        found = self.settle(lambda: self.wait(look, what))
        self.await_focus(found)
        return found

    def settle(self, look):
        """When it looks twice the same."""
        before = look()
        while True:
            time.sleep(0.1)
            now = look()
            if (now.handle, now.at, [str(child) for child in now.below()]) == \
                    (before.handle, before.at, [str(child) for child in before.below()]):
                return now
            before = now

    def wait_closed(self, window):
        self.wait(lambda: all(other.handle != window.handle for other in self.windows()), "the end of %s" % window)
        left = next((other for other in self.windows() if other.kind in (MAIN, DIALOG) and other.enabled), None)
        if left:
            self.await_focus(left)

    def table(self, control=None):
        """Of a list view: columns, rows, colours."""
        return self.ask("list", (control or self.main().find(LIST)).handle)

    def rows(self):
        """Each a dictionary by headings, as the list is sorted."""
        table = self.table()
        headings = [column["text"] for column in table["columns"]]
        return [dict(zip(headings, row["cells"]), selected=row["selected"], focused=row["focused"], at=row["at"])
                for row in table["rows"]]

    def row(self, name):
        return next((row for row in self.rows() if row["ID"] == name), None)

    def wait_row(self, name):
        return self.wait(lambda: self.row(name), "a row of " + name)

    def wait_no_row(self, name):
        self.wait(lambda: not self.row(name), "the end of the row of " + name)

    def wait_cell(self, name, column, pattern, seconds=WAIT_S):
        def look():
            row = self.row(name)
            return row and re.search(pattern, row[column]) and row
        return self.wait(look, "%s of %s like %r: %s" % (column, name, pattern, self.row(name)), seconds)

    def status(self):
        return [part["text"] for part in self.ask("parts", self.main().find(STATUS).handle)]

    def buttons(self):
        return {button["id"]: button for button in self.ask("buttons", self.main().find(TOOLBAR).handle)
                if not button["separator"]}

    def popup(self):
        """The menu that is open: its items."""
        found = self.wait(lambda: [window for window in self.windows() if window.kind == POPUP], "a menu")
        return self.ask("menu", found[0].handle)

    def marked(self):
        return [at for at, item in enumerate(self.popup()) if item["highlighted"]]

    def mark(self, number):
        """By the keys: down to this item of the open menu, through the menus beside it if it is in another."""
        for _ in range(MENUS_MAX):
            items = self.popup()
            if any(item["id"] == number for item in items):
                break
            self.screen.key("Right")
            self.wait(lambda: [item["id"] for item in self.popup()] != [item["id"] for item in items], "the next menu")
        for _ in self.popup():
            if any(item["highlighted"] and item["id"] == number for item in self.popup()):
                return
            marked = self.marked()
            self.screen.key("Down")
            self.wait(lambda: self.marked() != marked, "the next item of a menu")
        raise Failure("no item %d in a menu: %s" % (number, self.popup()))

    # ---- What a person does ----

    def click(self, control, button=1):
        self.screen.click(*control.middle(), button)

    def shown(self, dialog, number):
        """A control, once the screen shows it where the program has it: that is where a click goes to."""
        end = time.monotonic() + FOCUS_S
        while True:
            now = self.again(dialog)
            control = now.find(number)
            if lies_in(self.screen.under(*control.middle()), now) or time.monotonic() > end:
                return control
            time.sleep(0.05)

    def await_focus(self, window):
        """Keys, too, go to what the screen believes has them. Not for ever: not every window takes them."""
        end = time.monotonic() + FOCUS_S
        while time.monotonic() < end:
            now = next((other for other in self.windows() if other.handle == window.handle), None)
            if not now or lies_in(self.screen.focused(), now):
                return
            time.sleep(0.05)

    def press(self, dialog, number):
        """A button of a dialog, with the mouse."""
        button = self.shown(dialog, number)
        expect(button.enabled, "%s cannot be pressed" % button)
        self.click(button)

    def press_tool(self, number):
        button = self.wait(lambda: self.buttons().get(number), "a button %d" % number)
        expect(button["enabled"], "the button %s cannot be pressed" % button["text"])
        self.screen.click(*middle(button["at"]))

    def choose(self, name):
        """Its row, with the mouse."""
        row = self.wait_row(name)
        at = row["at"]
        self.screen.click(at[0] + 10, (at[1] + at[3]) // 2)
        self.wait(lambda: self.row(name)["selected"], "the choice of " + name)

    def fill(self, dialog, number, text):
        """An edit control: what is in it is replaced."""
        self.click(self.shown(dialog, number))
        self.screen.key("ctrl+a")
        self.screen.type(text)
        self.wait(lambda: self.again(dialog).find(number).text == text,
                  "%r in %s" % (text, self.again(dialog).find(number)))

    def pick(self, dialog, number, beginning):
        """Of a combo box, what begins so."""
        box = dialog.find(number)
        at = next(at for at, text in enumerate(box.choices) if text.startswith(beginning))
        self.click(box)
        self.wait(lambda: any(window.kind == "ComboLBox" for window in self.windows()), "the choices of %s" % box)
        self.screen.key("Home", *["Down"] * at, "Return")
        self.wait(lambda: self.again(dialog).find(number).text == box.choices[at], box.choices[at])

    def again(self, window):
        """As it is by now."""
        return self.wait(lambda: next((other for other in self.windows() if other.handle == window.handle), None),
                         str(window))

    def told(self, *words):
        """A message box with these words comes; it, for whoever answers."""
        box = self.dialog("a message with %s" % (words,))
        text = box.words()
        for word in words:
            expect(word in text, "%r is not in %r" % (word, text))
        return box

    def dismiss(self, box):
        """Its button, if it has only one; else by the key that cancels."""
        self.screen.key("Escape")
        self.wait_closed(box)
