# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a stream of QEMU with another memory: savevm_change.py STREAM OUT KIND. It replaces the memory sections of STREAM, whose
machine has one block "pc.ram" among others.

split: memory of 3 GiB and two pages of a pc-i440fx, with the RTC's word for it; wrong-rtc: with another word.
deltas: page 1 comes three times: with "A"s, with two bytes changed, and with one more.
mapped: the memory as mapped-ram has it, in a file of its own places.
no-machine: without a configuration."""

import struct
import sys

stream, out, kind = sys.argv[1:]
with open(stream, "rb") as f:
    data = f.read()
machine = b"pc-i440fx-7.2"
start = data.index(b"\1\0\0\0\2\3ram")
devices = data.index(b"\4\0\0\0\0\5timer")
head = b"QEVM" + struct.pack(">IBI", 3, 7, len(machine)) + machine
tail = bytearray(data[devices:])
END = struct.pack(">Q", 0x10) + b"\x7e" + struct.pack(">I", 2)


def begin(length):
    return b"\1" + struct.pack(">I", 2) + b"\3ram" + struct.pack(">IIQ", 0, 4, length | 4) + b"\6pc.ram" + struct.pack(">Q", length)


def zeros(length):
    """A word for each page: QEMU sends one even for a page that is zero."""
    first = struct.pack(">Q", 2) + b"\6pc.ram\0"
    return first + b"".join(struct.pack(">QB", offset | 0x22, 0) for offset in range(4096, length, 4096))


def page(offset, contents):
    return struct.pack(">Q", offset | 8) + b"\6pc.ram" + contents


def delta(offset, changes):
    return struct.pack(">QBH", offset | 0x40 | 0x20, 1, len(changes)) + changes


length = 0x4000
if kind in ("split", "wrong-rtc"):
    length = 0xe0002000
    body = page(0x1000, b"L" * 4096) + page(0xc0001000, b"H" * 4096)
    # 16 MiB and more below 4 GiB at 0x34, and what lies above it at 0x5b, in units of 64 KiB: the two pages are not seen.
    length = 0xe0020000
    rtc = tail.index(b"mc146818rtc") + len("mc146818rtc") + 8
    above = (length - 0xc0000000) >> 16
    tail[rtc + 0x5b:rtc + 0x5e] = struct.pack("<I", above + (kind == "wrong-rtc"))[:3]
elif kind == "deltas":
    body = page(0x1000, b"A" * 4096) + delta(0x1000, b"\x10\2bc") + delta(0x1000, b"\x11\1d\xec\x1f\1e")
elif kind == "mapped":
    head += b"\5\x1aconfiguration/capabilities" + struct.pack(">II", 1, 1) + b"\x0amapped-ram"
    prefix = len(head) + len(begin(length)) + 28
    places = struct.pack(">IQQQ", 1, 4096, prefix, 1 << 20)
    memory = struct.pack("<Q", 0b1010).ljust((1 << 20) - prefix, b"\0") + b"".join(bytes([0x30 + i]) * 4096 for i in range(4))
    body = places + memory
else:
    head = b"QEVM" + struct.pack(">I", 3)
    body = page(0x1000, b"A" * 4096)
with open(out, "wb") as f:
    f.write(head + begin(length) + (b"" if kind == "mapped" else zeros(length)) + body + END + b"\3" + struct.pack(">I", 2) + END + bytes(tail))
