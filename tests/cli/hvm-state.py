#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# hvm-state.py KIND <image >image: puts a fault into the HVM_CONTEXT, HVM_PARAMS or X86_TSC_INFO of an
# xl file, a stream or an image. Entries and params keep their number and length, unless KIND says
# otherwise.
import struct
import sys

data = bytearray(sys.stdin.buffer.read())
TSC, CONTEXT, PARAMS = 8, 9, 10
CPU, XSAVE = 2, 16


def record(wanted):
    """Offset of the body and length of the image's first record of that type."""
    at = data.index(b"\xff" * 8 + b"XENF") + 40
    while True:
        kind, length = struct.unpack_from("<II", data, at)
        if kind == wanted:
            return at + 8, length
        at += 8 + (length + 7 & ~7)


def entry(wanted):
    """Offset of the context's first entry of that typecode: its descriptor."""
    at, length = record(CONTEXT)
    end = at + length
    while at < end:
        code, _, size = struct.unpack_from("<HHI", data, at)
        if code == wanted:
            return at
        at += 8 + size
    raise KeyError(wanted)


def put(at, fmt, value):
    struct.pack_into(fmt, data, at, value)


def param(i, index, value):
    put(record(PARAMS)[0] + 8 + 16 * i, "<Q", index)
    put(record(PARAMS)[0] + 16 + 16 * i, "<Q", value)


def lie(kind):
    if kind == "garbage":
        at, length = record(CONTEXT)
        data[at:at + length] = b"\xaa" * length
    elif kind == "no-cpu":  # the context becomes shorter
        at, length = record(CONTEXT)
        cpu = entry(CPU)
        size = 8 + struct.unpack_from("<I", data, cpu + 4)[0]
        del data[cpu:cpu + size]
        put(at - 4, "<I", length - size)
    elif kind == "cpu-cr0":
        put(entry(CPU) + 8 + 656, "<Q", 0x80000000)
    elif kind == "cpu-vcpu9":
        put(entry(CPU) + 2, "<H", 9)
    elif kind == "cpu-dr7":
        put(entry(CPU) + 8 + 728, "<Q", 1 << 32)
    elif kind == "cpu-nx":
        put(entry(CPU) + 8 + 992, "<Q", 1 << 13)
    elif kind == "param-twice":  # the last param becomes another IOREQ_PFN
        param(struct.unpack_from("<I", data, record(PARAMS)[0])[0] - 1, 5, 0xfeff1)
    elif kind == "param-vm86":
        param(7, 37, 0xfc100000)
    elif kind == "param-altp2m":
        param(7, 35, 1)
    elif kind == "param-store":
        param(0, 1, 0x90000)
    elif kind == "tsc":
        put(record(TSC)[0], "<I", 3)
    else:
        raise ValueError(kind)


lie(sys.argv[1])
sys.stdout.buffer.write(data)
