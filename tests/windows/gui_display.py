# SPDX-License-Identifier: BSD-2-Clause
"""For gui.py: a screen that nobody sees, a person's hands on it (keys, mouse, files dragged onto a window), and pictures
of it."""
import os
import shutil
import struct
import subprocess
import sys
import time
import urllib.parse
import zlib

sys.path.append("/usr/lib/python3/dist-packages")  # where Debian has it, whichever Python this is
try:
    import Xlib.display
    import Xlib.error
    from Xlib import X
    from Xlib.protocol import event
except ImportError:
    Xlib = None

WIDTH, HEIGHT = 1920, 1200
TOOLS = ("Xvfb", "openbox", "xdotool")
START_S = 60
DRAG_S = 60
# Keys are all for the program; new windows stand where they ask to.
MANAGER = """<?xml version="1.0"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
<focus><focusNew>yes</focusNew><followMouse>no</followMouse></focus>
<desktops><number>1</number><popupTime>0</popupTime></desktops>
<keyboard></keyboard>
<mouse><context name="Client"><mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/>
</mousebind></context></mouse>
</openbox_config>
"""


def missing_tools():
    return [tool for tool in TOOLS if not shutil.which(tool)] + ([] if Xlib else ["python3-xlib"])


class Screen:
    def __init__(self, scratch):
        self.scratch = scratch
        self.server = self.manager = None
        reading, writing = os.pipe()
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "%dx%dx24" % (WIDTH, HEIGHT), "-nolisten", "tcp",
             "-noreset"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=[writing])
        os.close(writing)
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()  # empty when it ended
        if not number:
            raise RuntimeError("Xvfb did not start")
        self.name = ":" + number
        self.env = dict(os.environ, DISPLAY=self.name)
        self.x = Xlib.display.Display(self.name)
        self.root = self.x.screen().root
        self.manage()

    def manage(self):
        path = os.path.join(self.scratch, "openbox.xml")
        with open(path, "w") as file:
            file.write(MANAGER)
        self.manager = subprocess.Popen(["openbox", "--sm-disable", "--config-file", path], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.env)
        there = self.x.get_atom("_NET_SUPPORTING_WM_CHECK")
        end = time.monotonic() + START_S
        while not self.root.get_full_property(there, X.AnyPropertyType):
            if time.monotonic() > end or self.manager.poll() is not None:
                raise RuntimeError("openbox did not start")
            time.sleep(0.02)

    def close(self):
        self.x.close()
        for process in (self.manager, self.server):
            process.terminate()
            process.wait(START_S)

    # ---- Hands ----

    def hands(self, *words):
        subprocess.run(["xdotool", *[str(word) for word in words]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, env=self.env, timeout=60, check=True)

    def key(self, *keys):
        self.hands("key", "--delay", 20, *keys)

    def type(self, text):
        self.hands("type", "--delay", 5, "--", text)

    def under(self, x, y):
        """Where the window lies that a click there goes to; None: it has just gone."""
        window = self.root
        try:
            while True:
                below = window.translate_coords(self.root, x, y).child
                if not below:
                    break
                window = below
        except Xlib.error.XError:
            return None
        return self.place(window)

    def place(self, window):
        try:
            at, size = self.root.translate_coords(window, 0, 0), window.get_geometry()
        except Xlib.error.XError:
            return None
        return at.x, at.y, at.x + size.width, at.y + size.height

    def focused(self):
        """Where the window lies that keys go to; None: to nobody."""
        window = self.x.get_input_focus().focus
        return self.place(window) if hasattr(window, "get_geometry") else None

    def click(self, x, y, button=1, times=1):
        self.hands("mousemove", "--sync", x, y, "click", "--repeat", times, "--delay", 60, button)

    # ---- Pictures ----

    def pixels(self, at=None):
        """Width, and the rows, three bytes a pixel."""
        left, top, right, bottom = at or (0, 0, WIDTH, HEIGHT)
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, WIDTH), min(bottom, HEIGHT)
        width, height = right - left, bottom - top
        data = self.root.get_image(left, top, width, height, X.ZPixmap, 0xffffffff).data
        colors = bytearray(width * height * 3)
        for color in range(3):
            colors[color::3] = data[2 - color::4]
        return width, [bytes(colors[row:row + width * 3]) for row in range(0, len(colors), width * 3)]

    def picture(self, path, at=None):
        """PNG of the screen, or of a rectangle of it."""
        width, rows = self.pixels(at)

        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        head = struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)
        body = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
        with open(path, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))

    # ---- Dragging ----

    def drag(self, paths, x, y):
        """Drags files from a file manager and drops them at that place: XDND, version 5. What the target said that it
        would do; None: there is no target, or it does not want them."""
        return Drag(self.x, paths).run(x, y)


class Drag:
    """The side from which files are dragged."""

    def __init__(self, display, paths):
        self.x = display
        self.root = display.screen().root
        self.atoms = {}
        self.data = "".join("file://%s\r\n" % urllib.parse.quote(path) for path in paths).encode()
        self.window = self.root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)

    def atom(self, name):
        if name not in self.atoms:
            self.atoms[name] = self.x.get_atom(name)
        return self.atoms[name]

    def target(self, x, y):
        """The uppermost window there that knows of XDND."""
        window = self.root
        while True:
            if window.get_full_property(self.atom("XdndAware"), X.AnyPropertyType):
                return window
            below = self.root.translate_coords(window, x, y)
            place = window.translate_coords(self.root, x, y)
            child = place.child if hasattr(place, "child") else below.child
            if not child:
                return None
            window = child

    def say(self, target, kind, *words):
        data = (32, ([self.window.id] + list(words) + [0] * 4)[:5])
        target.send_event(event.ClientMessage(window=target, client_type=self.atom(kind), data=data))
        self.x.flush()

    def serve(self, wanted):
        """Answers for the data, until the message comes; its words, or None."""
        end = time.monotonic() + DRAG_S
        while time.monotonic() < end:
            if not self.x.pending_events():
                time.sleep(0.01)
                continue
            came = self.x.next_event()
            if came.type == X.SelectionRequest:
                self.give(came)
            elif came.type == X.ClientMessage and came.client_type == self.atom(wanted):
                return list(came.data[1])
        return None

    def give(self, request):
        place = request.property or request.target
        request.requestor.change_property(place, request.target, 8, self.data)
        request.requestor.send_event(event.SelectionNotify(
            time=request.time, requestor=request.requestor, selection=request.selection, target=request.target,
            property=place))
        self.x.flush()

    def run(self, x, y):
        self.window.set_selection_owner(self.atom("XdndSelection"), X.CurrentTime)
        self.root.warp_pointer(x, y)
        self.x.sync()
        target = self.target(x, y)
        if not target:
            return None
        copy = self.atom("XdndActionCopy")
        self.say(target, "XdndEnter", 5 << 24, self.atom("text/uri-list"))
        self.say(target, "XdndPosition", 0, x << 16 | y, X.CurrentTime, copy)
        status = self.serve("XdndStatus")
        if not status or not status[1] & 1:
            self.say(target, "XdndLeave")
            return None
        self.say(target, "XdndDrop", 0, X.CurrentTime)
        return self.serve("XdndFinished")
