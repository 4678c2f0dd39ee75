#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: gcc
"""./run: a demo disk that an initiator sees, no root, Ctrl-C with status 0, a port in use, a bad image."""
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ.get("SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRATCH = os.environ.get("TMPDIR", "/tmp")
BUILD = os.path.join(SCRATCH, "build")
NOBODY = 65534
READY = "Ctrl-C stops it."

failures = 0


def report(name, good, why=""):
    global failures
    failures += not good
    if not good:
        print("# " + str(why).replace("\n", "\n# "))
    print("%s %s" % ("ok" if good else "not ok", name), flush=True)
    return good


def environment(build):
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("LUNGFISH_", "XDG_")) and not key.endswith("SAN_OPTIONS")}
    return dict(env, LUNGFISH_BUILD=build, XDG_STATE_HOME=os.path.join(build, "state"))


class Run:
    """One ./run with a terminal's habits: a process group of its own, output as it comes."""

    def __init__(self, *arguments, build=BUILD, before=(), **more):
        self.log = tempfile.NamedTemporaryFile("w+", dir=SCRATCH, delete=False)
        self.process = subprocess.Popen(list(before) + [os.path.join(SOURCE, "run")] + list(arguments),
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                        env=environment(build), cwd=SCRATCH, start_new_session=True, **more)

    def output(self):
        with open(self.log.name) as text:
            return text.read()

    def wait_ready(self):
        """True once it told what to try; False when it ended before, or after four minutes."""
        for _ in range(2400):
            if READY in self.output():
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.1)
        return False

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)

    def end(self):
        try:
            self.process.terminate()  # the daemon is in a group of its own: ./run passes it on
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def initiator_reads(url):
    """The volume label of an ext4 file system stands at 1024 + 120."""
    target = os.path.join(SCRATCH, "head")
    done = subprocess.run(["qemu-img", "dd", "-f", "raw", "-O", "raw", "bs=4096", "count=1", "if=" + url, "of=" + target],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        return done.stdout
    with open(target, "rb") as head:
        return head.read()[1024 + 120:][:8].decode(errors="replace")


def test_demo_disk():
    run = Run()
    try:
        if not report("run_builds_and_gets_ready", run.wait_ready(), run.output()):
            return False
        url = re.search(r"is at (iscsi://\S+)", run.output())
        if report("run_prints_the_url_of_each_disk", url, run.output()):
            label = initiator_reads(url.group(1))
            report("initiator_reads_the_demo_file_system", label == "lungfish", label)
        tries = run.output().split("Three things to try")[-1].splitlines()[1:]
        tries = [line for line in tries if line.startswith("  ") and not line.startswith("  #")]
        report("run_prints_three_things_to_try", len(tries) == 3, run.output())
        report("ctrl_c_ends_run_with_status_0", run.interrupt() == 0, run.output())
        report("ctrl_c_is_one_signal_to_the_daemon", "second signal" not in run.output(), run.output())
        held = subprocess.run(["debugfs", "-R", "cat /README", os.path.join(BUILD, "demo.img")],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        report("demo_disk_has_a_readme", "Lungfish" in held.stdout, held)
        return True
    finally:
        run.end()


def test_second_start():
    run = Run()
    try:
        ready = run.wait_ready()
        with open(os.path.join(BUILD, "run-build.log")) as log:
            report("second_start_builds_nothing", ready and "no work to do" in log.read(), run.output())
        report("sigterm_ends_run_with_status_0", (run.process.terminate(), run.process.wait(30))[1] == 0, run.output())
    finally:
        run.end()


def test_terminal():
    """Ctrl-C in a real terminal, with nothing in flight: the daemon is gone before ./run looks."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(SCRATCH)
        os.execve(os.path.join(SOURCE, "run"), ["run", "--iscsi", "127.0.0.1:0"], environment(BUILD))
    text, sent = b"", False
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break  # the other side closed it
        text += piece
        if not sent and READY.encode() in text:
            os.write(terminal, b"\x03")
            sent = True
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    report("ctrl_c_in_a_terminal_ends_run_with_status_0", sent and status == 0, "%d: %s" % (status, text.decode()))


def test_port_in_use():
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", 3260))
            holder.listen()
        except OSError:
            pass  # somebody else has it: as good
        run = Run()
        try:
            good = run.wait_ready() and re.search(r"Port 3260 is in use: taking (\d+)", run.output())
            if report("port_in_use_takes_the_next_and_says_so", good, run.output()):
                report("url_has_the_port_taken", ":%s/" % good.group(1) in run.output(), run.output())
                run.interrupt()
        finally:
            run.end()


def test_bad_image():
    run = Run("no-such.img")
    try:
        report("missing_image_ends_run_with_an_error",
               not run.wait_ready() and run.process.wait(30) != 0 and "no-such.img" in run.output(), run.output())
    finally:
        run.end()


def test_without_root():
    if os.getuid() != 0:
        print("ok run_needs_no_root")  # all of the above was without
        return
    place = tempfile.mkdtemp(prefix="lf", dir="/tmp")
    try:
        build = os.path.join(place, "build")
        shutil.copytree(BUILD, build, symlinks=True)
        shutil.rmtree(os.path.join(build, "state"), ignore_errors=True)
        for folder, below, names in os.walk(place):
            for name in [folder] + [os.path.join(folder, name) for name in names]:
                os.chown(name, NOBODY, NOBODY, follow_symlinks=False)
        reach = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]
        if subprocess.run(reach + ["test", "-x", os.path.join(SOURCE, "run")]).returncode:
            print("skip run_needs_no_root: the tree lies where only root can read it")
            return
        run = Run(build=build, before=reach)
        try:
            ready = run.wait_ready()
            report("run_needs_no_root", ready and run.interrupt() == 0, run.output())
        finally:
            run.end()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def main():
    os.chmod(SCRATCH, 0o755)
    if test_demo_disk():
        test_second_start()
        test_terminal()
        test_port_in_use()
        test_bad_image()
        test_without_root()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
