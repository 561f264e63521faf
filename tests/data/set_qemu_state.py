#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gives the HVM images of xen-code and xen-code-more a device model's state that QEMU reads.

Xen's save code made these images over a recorded domain whose state of QEMU was invented after its
header. This script puts sections of a real one in its place, of the same length in all, in every
round, so that no other byte moves. They are those of tiny-hvm.save, in their order: a choice of
them whose sizes add up. Later checkpoints differ in length, so in their choice of sections.

    tests/data/set_qemu_state.py tests/data/xen-code*/*.xz fuzz/corpus/*/*hvm*
"""
import os
import re
import struct
import sys

import samples

HEADER = b"QEVM" + struct.pack(">I", 3)
EOF = b"\0"
SECTION = re.compile(rb"\x04\0\0\0.(.)", re.S)


def sections(state):
    """The bytes of each section. Data that looks like a header would show as a section of its own
    name: there is none in this state."""
    starts = []
    for found in SECTION.finditer(state):
        size = found.group(1)[0]
        name = state[found.end():found.end() + size]
        if size > 2 and re.fullmatch(rb"[A-Za-z0-9][\w./:]*", name) and len(name) == size:
            starts.append(found.start())
    assert starts[0] == len(HEADER) and state.endswith(EOF)
    return [state[a:b] for a, b in zip(starts, starts[1:] + [len(state) - 1])]


def chosen(parts, size):
    """A choice of the parts with that many bytes."""
    reached = {0: ()}
    for i, part in enumerate(parts):
        for have, choice in list(reached.items()):
            reached.setdefault(have + len(part), choice + (i,))
    return b"".join(parts[i] for i in reached[size])


def invented(data, at):
    """The length of an invented state that begins at at, 0 if there is none."""
    end, first = at + len(HEADER), data[at + len(HEADER)]
    while end < len(data) and data[end] == (first + 13 * (end - at - len(HEADER))) & 0xFF:
        end += 1
    return end - at if end - at > 100 else 0


def main():
    whole = samples.read(os.path.join(samples.HERE, "xen417/tiny-hvm.save.xz"))
    at = whole.index(HEADER)
    size, = struct.unpack_from("<I", whole, at - 12)
    parts = sections(whole[at:at + size - 8])
    for name in sys.argv[1:]:
        if ".manifest." in name:
            continue
        data, count, at = samples.read(name), 0, 0
        while (at := data.find(HEADER, at)) >= 0:
            length = invented(data, at)
            if length:
                # A record says its length before the ids, or before the state: the pattern may go
                # on by chance in the bytes that follow.
                length = lengths(data, at, length)
                state = HEADER + chosen(parts, length - len(HEADER) - 1) + EOF
                data = data[:at] + state + data[at + length:]
                count += 1
            at += 1
        if count:
            samples.write(name, data)
            print(f"{name}: {count} states")


def lengths(data, at, most):
    """The length that the record before the state gives; most, where it gives none."""
    plain, = struct.unpack_from("<I", data, at - 4)
    ids, = struct.unpack_from("<I", data, at - 12)
    for length in (plain, ids - 8):
        if most - 8 <= length <= most:
            return length
    return most


main()
