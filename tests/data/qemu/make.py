#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the streams of this folder with QEMU 7.2 (qemu-system-x86_64), without KVM: make.py [NAME...]"""

import json
import lzma
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RAM = 4  # MiB


def firmware():
    """64 KiB that run from the reset vector: a counter at 0x10000, and its low half in each page from 0x20000 to 0x8ffff, at 0x100."""
    code = bytes.fromhex(
        "fa"          # cli
        "b80010"      # mov ax, 0x1000
        "8ed8"        # mov ds, ax
        "66c7060800" "54445747"  # mov dword [8], "GWDT" in memory order
        # loop:
        "66ff060000"  # inc dword [0]
        "a10000"      # mov ax, [0]
        "bb0020"      # mov bx, 0x2000
        # page:
        "8ec3"        # mov es, bx
        "26a30001"    # mov es:[0x100], ax
        "81c30001"    # add bx, 0x100
        "81fb0090"    # cmp bx, 0x9000
        "72f0"        # jb page
        "ebe3")       # jmp loop
    image = bytearray(65536)
    image[0:len(code)] = code
    image[0xfff0:0xfff5] = bytes.fromhex("ea000000f0")  # jmp f000:0000
    return bytes(image)


class Machine:
    def __init__(self, folder, *options, machine="pc-i440fx-7.2", paused=True, memory=True, quiet=False):
        self.folder = folder
        with open(folder + "/firmware", "wb") as f:
            f.write(firmware())
        command = ["qemu-system-x86_64", "-M", machine, "-nodefaults", "-display", "none", "-no-user-config",
                   "-bios", folder + "/firmware", "-qmp", f"unix:{folder}/qmp,server=on,wait=off",
                   *(["-m", str(RAM)] if memory else []), *(["-S"] if paused else []), *options]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL if quiet else None)
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(folder + "/qmp")
                break
            except OSError:
                if self.process.poll() is not None:
                    raise
                time.sleep(0.02)
        self.lines = self.socket.makefile("r")
        self.lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = json.loads(self.lines.readline())
            if "error" in answer:
                raise RuntimeError(answer["error"]["desc"])
            if "return" in answer:
                return answer["return"]

    def capability(self, name):
        self.ask("migrate-set-capabilities", capabilities=[{"capability": name, "state": True}])

    def migrate(self, **parameters):
        if parameters:
            self.ask("migrate-set-parameters", **{k.replace("_", "-"): v for k, v in parameters.items()})
        path = self.folder + "/stream"
        self.ask("migrate", uri="exec:cat > " + path)
        while self.ask("query-migrate").get("status") not in ("completed", "failed"):
            time.sleep(0.05)
        return self.end(path)

    def end(self, path):
        self.ask("quit")
        self.process.wait()
        with open(path, "rb") as f:
            return f.read()


def plain(folder):
    return Machine(folder).migrate()


def vcpus(folder):
    return Machine(folder, "-smp", "2").migrate()


def nodesc(folder):
    return Machine(folder, machine="pc-i440fx-7.2,suppress-vmdesc=on").migrate()


def nofooter(folder):
    return Machine(folder, "-global", "migration.send-section-footer=off").migrate()


def q35(folder):
    return Machine(folder, "-device", "virtio-rng-pci", machine="pc-q35-7.2").migrate()


def compress(folder):
    m = Machine(folder, paused=False)
    time.sleep(1)
    m.ask("stop")
    m.capability("compress")
    return m.migrate()


def accept(m, folder):
    """Starts a migration to a socket."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(folder + "/migrate")
    listener.listen()
    m.ask("migrate", uri=f"unix:{folder}/migrate")
    return listener.accept()[0], listener


def read_rest(peer):
    data = b""
    while True:
        more = peer.recv(1 << 20)
        data += more
        if not more or b'"devices"' in data and data.endswith(b"]}"):
            return data


def return_path(folder):
    """A one-way stream with the commands of a migration that has an answering side."""
    m = Machine(folder)
    m.capability("return-path")
    peer, listener = accept(m, folder)
    data = read_rest(peer)
    peer.sendall(struct.pack(">HHI", 1, 4, 0))
    peer.close()
    m.ask("quit")
    m.process.wait()
    return data


def ignore_shared(folder):
    m = Machine(folder, "-object", f"memory-backend-file,id=m,size={RAM}M,share=on,mem-path={folder}/ram",
                machine="pc-i440fx-7.2,memory-backend=m")
    m.capability("x-ignore-shared")
    return m.migrate()


def running(folder):
    """A running guest: its pages come in two rounds. What it writes after the second is missing: QEMU's emulation does not note it."""
    m = Machine(folder, paused=False)
    time.sleep(0.5)
    m.capability("xbzrle")
    return m.migrate(max_bandwidth=400000, downtime_limit=1)


def xen(folder):
    """As libxl asks for it: no memory, no footers, no description."""
    m = Machine(folder, "-global", "migration.store-global-state=off", "-global", "migration.send-configuration=off",
                "-global", "migration.send-section-footer=off")
    m.ask("xen-save-devices-state", filename=folder + "/stream", live=False)
    return m.end(folder + "/stream")


STREAMS = {f.__name__.replace("_", "-"): f for f in
           (plain, vcpus, nodesc, nofooter, q35, compress, return_path, ignore_shared, running, xen)}


def main():
    for name in sys.argv[1:] or STREAMS:
        with tempfile.TemporaryDirectory() as folder:
            data = STREAMS[name](folder)
        with open(f"{HERE}/{name}.xz", "wb") as f:
            f.write(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
        print(f"{name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
