#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc
"""lungfish-gui.exe as a person uses it: under Wine, on a screen of its own, by keys, mouse and files that are dragged.
The adapter is the lungfish.sys that is shipped.

The cases run in the order of CASES: each finds what those before it have left. Whatever is shown is looked at for what is
cut or overlaps, and kept as a picture: SCREENSHOTS/SCALE-THEME-WHAT.png.
"""
import glob
import os
import re
import shutil
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", part) for part in ("windows", "storport/wine", "control", "lib")]
import gui_cases as cases  # noqa: E402
import gui_display  # noqa: E402
import gui_errors as errors  # noqa: E402
import gui_layout as layout  # noqa: E402
import gui_looks as looks  # noqa: E402
import gui_window  # noqa: E402
import place as places  # noqa: E402
import prefix as prefixes  # noqa: E402
import wine  # noqa: E402

FONTS = "/usr/share/wine/fonts"  # Debian's Wine does not find them by itself: the signs on a caption's buttons
REGISTRY = r"""REGEDIT4

[HKEY_CURRENT_USER\Software\Wine]
"Version"="win10"

[HKEY_CURRENT_USER\Software\Wine\X11 Driver]
"Decorated"="N"

[HKEY_CURRENT_USER\Software\Wine\Fonts\Replacements]
"Segoe UI"="Liberation Sans"

[HKEY_CURRENT_USER\Control Panel\Desktop]
"FontSmoothing"="2"
"FontSmoothingType"=dword:00000002
"FontSmoothingGamma"=dword:00000578
"FontSmoothingOrientation"=dword:00000001
"LogPixels"=dword:%08x

[HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Themes\Personalize]
"AppsUseLightTheme"=dword:%08x
"""


class Place(places.Place):
    """Wine with a screen, and the window when it is open."""

    def __init__(self, scratch, screen):
        super().__init__(scratch)
        self.screen, self.gui = screen, None
        self.scale, self.theme = 100, "light"
        self.problems = []
        self.kept = os.environ.get("SCREENSHOTS") or os.path.join(scratch, "screenshots")
        os.makedirs(self.kept, exist_ok=True)
        for old in glob.glob(os.path.join(glob.escape(self.kept), "failed-*.png")):
            os.unlink(old)
        self.ids = gui_window.identifiers(ROOT)

    def prepare(self):
        # Wine takes no version of Windows in a section's name.
        inf = os.path.join(self.shipped, "lungfish.inf")
        with open(inf) as file:
            text = file.read()
        with open(inf, "w") as file:
            file.write(re.sub(r"NTamd64\.[\d.]+", "NTamd64", text))
        open(os.path.join(self.shipped, "lungfish.cat"), "wb").close()
        fonts = os.path.join(self.wine.drive, "windows", "Fonts")
        for name in os.listdir(FONTS) if os.path.isdir(FONTS) else ():
            if name.endswith(".ttf"):
                shutil.copy(os.path.join(FONTS, name), fonts)
        self.wine.bring(display=self.screen.name)
        self.appear(100, "light")

    def appear(self, scale, theme):
        """What programs that start from now on find."""
        self.scale, self.theme = scale, theme
        path = os.path.join(self.scratch, "look.reg")
        with open(path, "w") as file:
            file.write(REGISTRY % (96 * scale // 100, theme == "light"))
        code, out = self.wine.wine("regedit", "/S", prefixes.dos_path(path))
        prefixes.expect(code == 0, "regedit: %s" % out)

    # ---- The window ----

    def open(self, *arguments):
        self.shut()
        self.gui = gui_window.Gui(self, *arguments)
        return self.gui

    def window(self):
        """The one that is open, or a new one."""
        if self.gui and self.gui.process.poll() is None:
            return self.gui
        return self.open()

    def shut(self):
        if self.gui:
            self.gui.kill()
            self.gui = None

    def show(self, name, window=None):
        """Keeps a picture; when something of it is cut or overlaps, the case fails in the end."""
        gui = self.gui
        if window is None:
            at, problems = gui.main().at, layout.problems_of_main(gui)
        else:
            at, problems = window.at, layout.problems_of_dialog(gui, window)
        file = "%d-%s-%s.png" % (self.scale, self.theme, name)
        self.screen.picture(os.path.join(self.kept, file), at)
        self.problems += ["%s: %s" % (file, problem) for problem in problems]


def wine_comes_up_with_a_screen(place):
    wine.make(place)
    place.prepare()


CASES = [
    wine_comes_up_with_a_screen,
    cases.without_an_adapter_it_offers_to_install,
    cases.the_offer_installs_the_driver,
    cases.an_empty_list,
    cases.connect_by_dialog,
    cases.connect_by_drop,
    cases.drop_of_several,
    cases.connect_by_command_shows_by_itself,
    cases.images_on_the_command_line,
    cases.sort_by_any_column,
    cases.rates_rise,
    cases.properties_say_what_show_says,
    cases.eject_and_insert,
    cases.a_locked_disc_and_then_force,
    cases.a_veto_and_then_force,
    cases.disconnect_by_key,
    errors.no_such_file,
    errors.a_directory,
    errors.an_absent_drive,
    errors.in_use,
    errors.connected_already,
    errors.an_empty_file,
    errors.a_wrong_block_size,
    errors.permission,
    cases.keyboard_only,
    cases.its_place_is_kept,
    looks.at_100_light,
    looks.at_100_dark,
    looks.at_200_light,
    looks.at_200_dark,
]


FOOTING = (wine_comes_up_with_a_screen, cases.the_offer_installs_the_driver)  # all the others stand on these


def guarded(case):
    """A case that fails leaves a picture of the screen, and no window to the next one."""
    def run(place):
        place.problems = []
        try:
            case(place)
            prefixes.expect(not place.problems, "\n".join(place.problems))
        except Exception:
            place.screen.picture(os.path.join(place.kept, "failed-%s.png" % case.__name__))
            place.shut()
            place.wine.stuck = place.wine.stuck or case in FOOTING
            raise
    run.__name__ = case.__name__
    return run


def main():
    missing = gui_display.missing_tools() + prefixes.missing_tools()
    if missing:
        for case in CASES:
            print("skip %s: not installed: %s" % (case.__name__, " ".join(missing)))
        return 0
    scratch = tempfile.mkdtemp(prefix="gui", dir=os.environ.get("TMPDIR", "/tmp"))
    screen = gui_display.Screen(scratch)
    place = Place(scratch, screen)
    chosen = [guarded(case) for case in CASES if case is CASES[0] or not sys.argv[1:] or case.__name__ in sys.argv[1:]]
    try:
        return 1 if wine.run_in_time(place, chosen) else 0
    finally:
        screen.close()


if __name__ == "__main__":
    sys.exit(main())
