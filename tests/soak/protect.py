#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Protects a guest and then kills a side, cuts or stalls the wire, or fails the fence, at a random moment, again and again.
An observer reads the guest's console from outside. Never a line is seen that the survivor does not remember; never two run;
the survivor's guest finds its memory whole, and nothing is left over."""

import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import lanes  # noqa: E402
import wire as wires  # noqa: E402
from lanes import Failure, wait_until  # noqa: E402

LANES = 2
VICTIMS = ("primary", "primary", "backup", "cut", "stall", "stopped", "client", "cut, fence fails", "stall, fence fails")
FENCE = """echo "$GODWIT_DOMAIN" >>%(log)s; %(how)s"""
KILL = """kill -9 %(pid)d; while grep -q '^State:[^Z]*$' /proc/%(pid)d/status 2>/dev/null; do sleep 0.02; done"""


class Host(lanes.Host):
    def start(self, *args):
        return super().start(*args, errors=subprocess.STDOUT)

    def look(self):
        """(state, id) of the domain g; the state is "" if there is none."""
        domain = self.domain()
        return domain.get("state", ""), domain.get("id")

    def leftovers(self):
        return sorted(p.name for p in self.folder.iterdir() if p.name.startswith("g") and not p.name.endswith(".log"))


class Observer:
    """Reads the console from outside, as it comes."""

    def __init__(self, host):
        self.lines = []
        self.process = host.start("console", "g")
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def beats(self):
        # A line that has no end yet was seen as well, but says no number for certain.
        found = (re.match(r"godwit-guest: beat (\d+) gen \d+ ok\n$", line) for line in list(self.lines))
        return [int(m.group(1)) for m in found if m]

    def check(self):
        text = "".join(list(self.lines))
        if "CORRUPT" in text:
            raise Failure("the guest found its memory damaged: " + text[-300:])
        beats = self.beats()
        for before, after in zip(beats, beats[1:]):
            if after != before + 1:
                raise Failure("beat %d came after beat %d" % (after, before))

    def end(self):
        self.process.kill()
        self.thread.join(10)
        self.process.stdout.close()
        self.process.wait()


class Lane:
    """Two hosts, and a guest that is protected by the one that it is not on."""

    def __init__(self, args, folder):
        self.folder = folder
        godwit = str(args.build / "godwit")
        self.kernel = str(args.build / "guests/godwit-guest64.elf")
        for name in ("a", "b"):
            (folder / name).mkdir(mode=0o700)
        self.here, self.there = (Host(godwit, folder / name) for name in ("a", "b"))

    def boot(self, draw, number):
        if self.here.look()[0] != "running":
            cmdline = "seed=%d pages=%d rate=%d period=40" % (number + 1, draw.choice((40, 300, 1500)), draw.choice((1, 8)))
            self.here.must("run", "-d", "--name", "g", "--memory", "32M", "--cmdline", cmdline, self.kernel)
        self.seen = Observer(self.here)
        wait_until("the guest beats", lambda: len(self.seen.beats()) > 1)

    def fence(self, kind):
        if "fence fails" in kind:
            return FENCE % {"log": self.folder / "fenced", "how": "exit 1"}
        return FENCE % {"log": self.folder / "fenced", "how": KILL % {"pid": self.pid}}

    def protect(self, draw, kind):
        self.pid = self.here.look()[1]
        self.receiver = self.there.start("receive", "--silence", "1", "--fence-limit", "1", "--fence", self.fence(kind),
                                         "tcp:127.0.0.1:0")
        port = int(self.receiver.stdout.readline().rsplit(":", 1)[1])
        self.wire = wires.Wire(port, draw)
        self.client = self.here.start("protect", "--interval", str(draw.choice((10, 100, 400))), "--silence", "1", "g",
                                      self.wire.address)
        wait_until("the domain is protected", lambda: self.wire.stored >= 2 or self.client.poll() is not None)
        if self.client.poll() is not None:
            raise Failure("protect: " + self.client.stdout.read())
        self.copy = self.there.look()[1]

    def disturb(self, draw, kind):
        time.sleep(draw.uniform(0, 0.6))
        if kind == "primary":
            os.kill(self.pid, signal.SIGKILL)
        elif kind == "backup":
            os.kill(self.copy, signal.SIGKILL)
        elif kind == "stopped":
            os.kill(self.pid, signal.SIGSTOP)
        elif kind == "client":
            self.client.kill()
        elif kind.startswith("cut"):
            self.wire.cut()
        else:
            self.wire.stall()

    def look(self):
        """Never two: the copy runs only after the primary has died, so it is asked first."""
        there = self.there.look()[0]
        here = self.here.look()[0] if not self.stopped else ""
        if there == "running" and here in ("running", "protected"):
            raise Failure("two copies run")
        return here, there

    def settle(self, expected):
        states = []

        def at_rest():
            states[:] = self.look()
            return tuple(states) == expected

        try:
            wait_until("%s" % (expected,), at_rest)
        except Failure:
            raise Failure("expected %s, found %s" % (expected, states)) from None

    def beats_on(self, observer):
        """Two seconds more, in which the guest checks its memory."""
        before = len(observer.beats())
        end = time.monotonic() + 2
        while time.monotonic() < end:
            self.look()
            time.sleep(0.2)
        wait_until("the survivor beats", lambda: len(observer.beats()) > before + 2)
        observer.check()

    def taken_over(self, last):
        """The survivor remembers everything that was seen before: it does not say it again."""
        new = Observer(self.there)
        wait_until("the copy beats", lambda: new.beats())
        self.beats_on(new)
        new.end()
        if new.beats()[0] <= last:
            raise Failure("beat %d was seen, and the survivor begins with beat %d" % (last, new.beats()[0]))

    def one(self, seed, number, state):
        draw = random.Random("%d:%d" % (seed, number))
        kind = draw.choice(VICTIMS)
        self.stopped = kind == "stopped"
        self.boot(draw, number)
        self.protect(draw, kind)
        self.disturb(draw, kind)
        fails_over = kind in ("primary", "cut", "stall", "stopped")
        if fails_over:
            wait_until("the copy runs", lambda: self.there.look()[0] == "running")
            self.stopped = False
            self.settle(("", "running"))
            self.seen.thread.join(10)
        else:
            self.settle(("running", "undecided" if "fence fails" in kind else ""))
            wait_until("output leaves again", lambda n=len(self.seen.beats()): len(self.seen.beats()) > n)
            self.beats_on(self.seen)
        self.seen.check()
        last = self.seen.beats()[-1]
        self.seen.end()
        if fails_over:
            self.taken_over(last)
            self.here, self.there = self.there, self.here
        elif "fence fails" in kind:
            self.there.must("destroy", "g")
        self.finish(kind)
        if self.there.leftovers():
            raise Failure("left over: %s" % self.there.leftovers())
        with state.lock:
            state.count(kind)

    def finish(self, kind):
        """What was started ends by itself, but for the receiver whose domain runs on."""
        words = self.client.communicate(timeout=lanes.WAIT_S)[0]
        if kind not in ("client",) and self.client.returncode != 3:
            raise Failure("protect exits with %d: %s" % (self.client.returncode, words))
        self.wire.close()
        if kind in ("backup", "client") or "fence fails" in kind:
            self.receiver.communicate(timeout=lanes.WAIT_S)

    def end_all(self):
        for host in (self.here, self.there):
            pid = host.look()[1]
            if pid:
                os.kill(pid, signal.SIGKILL)
        for process in ("client", "receiver"):
            if getattr(self, process, None) and getattr(self, process).poll() is None:
                getattr(self, process).kill()
        if getattr(self, "wire", None):
            self.wire.close()


if __name__ == "__main__":
    sys.exit(lanes.run("protect", __doc__, 300, LANES, Lane))
