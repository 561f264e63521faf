# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a guest that dirties 4 MiB between two checkpoints stands: its pages copied aside, or sent while it stands;
on the loopback interface and over a wire of 100 MiB/s. And what copying and write-protecting such pages costs."""
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time

SECONDS = 5
RATE = 100 << 20
CMDLINE = "seed=3 pages=1024 rate=64 check=1 light=1 idle=0 period=1000"


class Wire:
    """Passes bytes on, to the receiver at a limited rate."""

    def __init__(self, port):
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "tcp:127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        sender = self.listener.accept()[0]
        # What is under way is on the wire, not in the sender's buffer.
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        receiver = socket.create_connection(("127.0.0.1", self.port))
        threading.Thread(target=self.pump, args=(receiver, sender, 0), daemon=True).start()
        self.pump(sender, receiver, RATE)

    @staticmethod
    def pump(source, sink, rate):
        free_at = time.monotonic()
        while data := source.recv(1 << 16):
            if rate:
                free_at = max(free_at, time.monotonic()) + len(data) / rate
                time.sleep(max(0, free_at - time.monotonic()))
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def measure(build, limit, slow):
    """The checkpoints after the first."""
    folder = tempfile.mkdtemp()
    here, there = (dict(os.environ, GODWIT_RUNTIME_DIR="%s/%s" % (folder, name), GODWIT_CONF="/dev/null") for name in "ab")
    godwit = build + "/godwit"
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    try:
        subprocess.run([godwit, "run", "-d", "--memory", "64M", "--name", "g", "--cmdline", CMDLINE,
                        build + "/guests/godwit-guest64.elf"], env=here, **quiet)
        with subprocess.Popen([godwit, "receive", "--no-fence", "tcp:127.0.0.1:0"], env=there, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as receiver:
            port = int(receiver.stdout.readline().rsplit(":", 1)[1])
            address = Wire(port).address if slow else "tcp:127.0.0.1:%d" % port
            subprocess.run([godwit, "protect", "--until", str(SECONDS), "--copy-limit", limit, "--report", folder + "/report",
                            "g", address], env=here, **quiet)
        with open(folder + "/report", encoding="ascii") as report:
            return [json.loads(line) for line in report][1:]
    finally:
        subprocess.run([godwit, "destroy", "g"], env=here, stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(folder)


def run(build, is_wanted):
    if not is_wanted("protect"):
        return
    for slow in (False, True):
        for limit in ("128M", "0"):
            pauses = sorted(c["pause_ns"] / 1e6 for c in measure(build, limit, slow))
            name = "protect-%s-%s" % ("wire" if slow else "loopback", "aside" if limit != "0" else "send")
            print("%-24s %10.2f ms    the guest stands (median of %d; 90 %%: %.2f ms)" %
                  (name, statistics.median(pauses), len(pauses), pauses[len(pauses) * 9 // 10]))
    print(subprocess.run([build + "/bench/pages"], check=True, stdout=subprocess.PIPE, text=True).stdout, end="")
