#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kills a sender, a receiver or a client of a migration at a random moment, or cuts the connection, again and again and in
several migrations at once. Never two copies run; an undecided copy is listed and one command decides; the survivor's
guest finds its memory whole."""

import os
import pathlib
import random
import re
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import lanes  # noqa: E402
import relay  # noqa: E402
from lanes import Failure, wait_until  # noqa: E402

LANES = 3  # migrations at once
VICTIMS = ("source", "destination", "client", "connection")


class Host(lanes.Host):
    def look(self):
        """(state, migration, id) of the domain g; the state is "" if there is none."""
        domain = self.domain()
        return domain.get("state", ""), domain.get("migration") or {}, domain.get("id")

    def beat(self):
        text = self.run("console", "--no-follow", "g")[1]
        if "CORRUPT" in text:
            raise Failure("the guest found its memory damaged: " + text[-300:])
        beats = re.findall(r"beat (\d+) gen", text)
        return int(beats[-1]) if beats else 0


class Lane:
    """One guest after the other, each of which is migrated and disturbed."""

    def __init__(self, args, folder):
        self.folder = folder
        godwit = str(args.build / "godwit")
        self.kernel = str(args.build / "guests/godwit-guest64.elf")
        self.here, self.there = (Host(godwit, folder / name) for name in ("a", "b"))
        self.lasts = 0.6  # seconds, a whole migration

    def boot(self, seed):
        wait_until("the source is at rest", lambda: self.here.look()[0] in ("running", ""))
        if self.here.look()[0] != "running":
            self.here.must("run", "-d", "--name", "g", "--cmdline", "seed=%d pages=40 period=200" % seed, self.kernel)
        wait_until("the guest runs", lambda: self.here.beat() > 0)

    def check_one(self):
        """The promise: never two. Both are asked, the source first: only it can lose the domain to the other."""
        a, b = self.here.look(), self.there.look()
        if a[0] == "running" and b[0] == "running":
            raise Failure("two copies run")
        return a, b

    def settle(self):
        """Both sides when neither works on the migration any more."""
        result = []

        def at_rest():
            result[:] = self.check_one()
            return all(state in ("running", "undecided", "") for state, _, _ in result)

        wait_until("both sides are at rest", at_rest)
        return result

    def wait_for_moment(self, draw, wire, client):
        """Any moment of the migration; more often one of the hand-over, which is a small part of it."""
        if draw.random() < 0.4:
            time.sleep(draw.uniform(0, 1.15 * self.lasts))
            return
        while relay.READY not in wire.passed and client.poll() is None:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 6 * wire.delay))

    def disturb(self, draw, victim):
        """One migration and its fault. Returns where the hand-over was at that moment."""
        receiver = self.there.start("receive", "tcp:127.0.0.1:0")
        port = int(receiver.stdout.readline().rsplit(":", 1)[1])
        wire = relay.Relay(port, draw.choice((0.002, 0.01, 0.03)))
        pids = {"destination": os.pidfd_open(receiver.pid), "source": os.pidfd_open(self.here.look()[2])}
        began = time.monotonic()
        client = self.here.start("migrate", "--downtime", "1000", "g", wire.address)
        pids["client"] = os.pidfd_open(client.pid)
        self.wait_for_moment(draw, wire, client)
        stage = wire.stage()
        if victim == "connection":
            wire.cut()
        else:
            try:
                signal.pidfd_send_signal(pids[victim], signal.SIGKILL)
            except ProcessLookupError:
                pass
        words = client.communicate(timeout=lanes.WAIT_S)
        if stage == "after":
            self.lasts = 0.8 * self.lasts + 0.2 * (time.monotonic() - began)
        else:
            self.lasts = min(self.lasts * 1.02, 5)
        try:
            return stage, self.settle(), client.returncode, "".join(words)
        finally:
            wire.close()
            for fd in pids.values():
                os.close(fd)
            self.receiver = receiver

    def decide(self, draw, a, b):
        """The operator's part: claims one of what is undecided, destroys the other."""
        for (state, migration, _), side in ((a, "source"), (b, "destination")):
            if state == "undecided" and (migration.get("side") != side or not migration.get("undecided")):
                raise Failure("an undecided copy is listed as %s" % migration)
        if a[0] == b[0] == "undecided" and a[1]["id"] != b[1]["id"]:
            raise Failure("two copies of different migrations")
        sides = [host for host, (state, _, _) in ((self.here, a), (self.there, b)) if state == "undecided"]
        other_runs = "running" in (a[0], b[0])
        draw.shuffle(sides)
        for host in sides:
            if other_runs:
                host.must("destroy", "g")
            else:
                host.must("resume", "--claim", "g")
                other_runs = True

    def check_rows(self, victim, stage, a, b, status, words):
        """The rows of docs/protocol.md."""
        if victim == "client" and "undecided" in (a[0], b[0]):
            raise Failure("the death of a client leaves an undecided domain")
        if victim == "client" and "running" not in (a[0], b[0]):
            raise Failure("the death of a client ends the domain: %s" % words)
        if stage == "before" and victim == "source" and a[0]:
            raise Failure("a killed source is listed: %s" % a[0])
        if victim == "connection" and (a[0], b[0]) == ("", ""):
            raise Failure("a lost connection loses the domain: %s" % words)
        if victim == "destination" and b[0] == "" and a[0] == "" and stage != "after" and status != 0:
            raise Failure("the receiver was killed %s the window, and the source is gone: %s" % (stage, words))
        if status == 3 and victim != "source" and a[0] == "running" and "runs on here" not in words:
            raise Failure("the message does not say where the domain is: %s" % words)

    def one(self, seed, number, state):
        draw = random.Random("%d:%d" % (seed, number))
        victim = draw.choice(VICTIMS)
        self.boot(number)
        stage, (a, b), status, words = self.disturb(draw, victim)
        self.check_rows(victim, stage, a, b, status, words)
        self.decide(draw, a, b)
        a, b = self.settle()
        for host, (now, _, _) in ((self.here, a), (self.there, b)):
            if now == "running":
                beat = host.beat()
                wait_until("the survivor beats", lambda h=host, n=beat: h.beat() > n)
        if b[0]:
            self.there.must("destroy", "g")
        self.end_receiver()
        with state.lock:
            state.count(stage, victim)
            if a[0] or b[0]:
                state.count("survivors")

    def end_receiver(self):
        self.receiver.terminate()
        self.receiver.communicate(timeout=lanes.WAIT_S)

    def end_all(self):
        for host in (self.here, self.there):
            pid = host.look()[2]
            if pid:
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(lanes.run("kills", __doc__, 1000, LANES, Lane))
