#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gives the version 3 images of xen-code a CPUID policy that Xen accepts.

Xen's save code made these images over a recorded domain whose leaves were invented: no leaf had
subleaves, and leaf 0 said that there are no others. This script sets the subleaves, the highest
leaf and a vendor, so that no other byte moves. An image that has them is left alone.

    tests/data/set_policy.py tests/data/xen-code/v3_*.xz fuzz/corpus/*/v3_*
"""
import struct
import sys

import samples

CPUID_POLICY = 0x11
NO_SUBLEAF = 0xFFFFFFFF
WITH_SUBLEAVES = (4, 7, 0xB, 0xD)


def policy_at(data):
    """Where the leaves begin, and how many they are."""
    at = data.index(b"\xff" * 8 + b"XENF") + 40
    while True:
        kind, length = struct.unpack_from("<II", data, at)
        if kind == CPUID_POLICY:
            return at + 8, length // 24
        at += 8 + (length + 7 & ~7)


def set_policy(data):
    start, count = policy_at(data)
    leaves = [list(struct.unpack_from("<6I", data, start + 24 * i)) for i in range(count)]
    basic = [leaf[0] for leaf in leaves if leaf[0] < 0x40000000]
    for leaf in leaves:
        if leaf[0] == 0:
            leaf[2] = max(basic)
            leaf[3], leaf[5], leaf[4] = struct.unpack("<3I", b"GenuineIntel")
        if leaf[0] in WITH_SUBLEAVES and leaf[1] == NO_SUBLEAF:
            leaf[1] = 0
            leaf[2] = 0 if leaf[0] == 7 else leaf[2]
    new = bytearray(data)
    for i, leaf in enumerate(leaves):
        struct.pack_into("<6I", new, start + 24 * i, *leaf)
    return bytes(new)


def main():
    for name in sys.argv[1:]:
        if ".manifest." in name or name.endswith(".back"):
            continue
        data = samples.read(name)
        new = set_policy(data)
        if new != data:
            samples.write(name, new)
            print(name)


main()
