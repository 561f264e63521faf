#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gives the HVM images of xen-code and xen-code-more a state that Xen accepts.

Xen's save code made these images over a recorded domain whose context was invented: byte i was
7i + 1. This script puts a real one of the same length in its place, in every round, so that no
other byte moves. The entries are those of tiny-hvm.save, which Xen 4.17 saved: as many as fit.
Images of Xen 4.6 and before get the CPU entry of their time, which has no flags. The param MCA_CAP
was invented as well: it becomes 1, its only bit.

    tests/data/set_hvm_context.py tests/data/xen-code*/*hvm*.xz
"""
import os
import struct
import sys

import samples

INVENTED = bytes((7 * i + 1) & 0xFF for i in range(1184))
HEADER, CPU, PIC, PCI_IRQ, ISA_IRQ, PCI_LINK, RTC, PMTIMER, TSC_ADJUST, END = (
    1, 2, 3, 7, 8, 9, 11, 13, 19, 0)
NEW = [(HEADER, 0), (CPU, 0), (PIC, 0), (PCI_IRQ, 0), (ISA_IRQ, 0), (PCI_LINK, 0), (PMTIMER, 0),
       (TSC_ADJUST, 0), (END, 0)]
OLD = [(HEADER, 0), (CPU, 0), (PIC, 0), (PIC, 1), (ISA_IRQ, 0), (PCI_LINK, 0), (RTC, 0),
       (PMTIMER, 0), (END, 0)]
CPU_SIZE_OLD = 1024  # Xen 3.4 to 4.6
REC_HVM_CONTEXT = 9
MCA_CAP = 38


def entries_of(stream):
    """The entries of the image's HVM_CONTEXT, by typecode and instance."""
    at = stream.index(b"\xff" * 8 + b"XENF") + 40
    while True:
        kind, length = struct.unpack_from("<II", stream, at)
        if kind == REC_HVM_CONTEXT:
            break
        at += 8 + (length + 7 & ~7)
    entries, at, end = {}, at + 8, at + 8 + length
    while at < end:
        code, instance, size = struct.unpack_from("<HHI", stream, at)
        entries[code, instance] = stream[at + 8:at + 8 + size]
        at += 8 + size
    return entries


def context(entries, wanted, cpu_size):
    out = b""
    for code, instance in wanted:
        data = entries[code, instance]
        data = data[:cpu_size] if code == CPU else data
        out += struct.pack("<HHI", code, instance, len(data)) + data
    assert len(out) == len(INVENTED), len(out)
    return out


def is_old(name):
    """The name begins with legVERSION, xlVERSION, v2_46 or v3_422."""
    return not os.path.basename(name).startswith("v3_")


def main():
    entries = entries_of(samples.read(os.path.join(samples.HERE, "xen417/tiny-hvm.save.xz")))
    for name in sys.argv[1:]:
        if ".manifest." in name:
            continue
        data = samples.read(name)
        caps = struct.pack("<QQ", MCA_CAP, 1 << 27)
        rounds = data.count(INVENTED) + data.count(caps)
        if rounds == 0:
            print(f"{name}: nothing invented")
            continue
        new = context(entries, OLD if is_old(name) else NEW, CPU_SIZE_OLD if is_old(name) else None)
        data = data.replace(INVENTED, new).replace(caps, struct.pack("<QQ", MCA_CAP, 1))
        samples.write(name, data)
        print(f"{name}: {rounds} contexts and params")


main()
