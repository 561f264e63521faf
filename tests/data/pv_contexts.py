#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gives the PV streams of xen-code/ and xen-code-more/ vCPUs that a hypervisor takes.

Xen's save code wrote these streams over a recorded domain whose vCPUs were made up, byte by byte (byte i of context v was
31v + 7i + 3, of its extended context 17v + 5i, of its extended state 19v + 3i). No Xen restores such a vCPU. This script
finds these blobs and puts in their place the vCPU that Xen 4.17 recorded in xen417/tiny-pv.save.xz, in the guest's width.
Nothing else changes, no size and no page. A file without such blobs stays as it is, so that the script can run again.

What stays of the blobs, so that a test can tell one vCPU from another: flags, rdx, GDT, cr1, cr3 and vm_assist of a
context, and its registers xmm0 to xmm15 (bytes 160 to 415, still 31v + 7i + 3); the upper halves of the YMM registers in
the extended state (bytes 592 to 847, still 19v + 3i). The callbacks of extended context v are at
0xffffffff81000000 + 0x1000v (SYSCALL) and 0x10 after it (SYSENTER).

    tests/data/pv_contexts.py tests/data/xen-code*/*pv*.xz
"""
import os
import struct
import sys

import samples

MAX_VCPUS = 128
MAX_OFFLINE = 4    # vCPUs without state between two that have some
EXTENDED = 128     # bytes of an extended context
XSAVE = 848        # bytes of an extended state: xcr0, its accumulator, legacy area, header, YMM
PAGE = 4096
BASIC_RECORD, XSAVE_RECORD = 4, 6

# vcpu_guest_context: its size, its first and last byte that is only made up, and (offset, size) of what is kept.
LAYOUTS = {
    64: (5168, (720, 4816), [(512, 8), (616, 8), (4832, 136), (4992, 8), (5008, 8), (5136, 8)]),
    32: (2800, (584, 2632), [(512, 4), (524, 4), (2640, 68), (2728, 4), (2796, 4)]),
}
# A 32-bit guest's field and the 64-bit one that it comes from: (offset32, offset64).
REGISTERS = [(516, 560), (520, 608), (524, 616), (528, 624), (532, 632), (536, 552), (540, 600), (548, 648), (556, 664),
             (560, 672), (2712, 4976), (2716, 4984), (2732, 5016), (2772, 5096), (2776, 5104)]
# FLAT_RING1_CS in cs and the callbacks, FLAT_RING1_SS in ss and kernel_ss.
SELECTORS = [(552, 0xe019), (564, 0xe021), (2708, 0xe021), (2780, 0xe019), (2788, 0xe019)]


def made_up(factor, start, begin, end):
    return bytes((factor * i + start) & 0xff for i in range(begin, end))


def recorded():
    """The blobs of vCPU 0 in tiny-pv.save.xz: context and extended context."""
    data = samples.read(os.path.join(samples.HERE, "xen417", "tiny-pv.save.xz"))
    at = data.index(b"\xff" * 8 + b"XENF") + 40
    blobs = {}
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind in (BASIC_RECORD, 5):
            blobs[kind] = data[at + 16:at + 8 + length]
        if kind == 0:
            break
        at += 8 + (length + 7) // 8 * 8
    return blobs[BASIC_RECORD], blobs[5]


def as_32bit(context):
    out = bytearray(2800)
    out[:512] = context[:512]
    for to, of in REGISTERS:
        out[to:to + 4] = context[of:of + 4]
    for at, selector in SELECTORS:
        struct.pack_into("<I", out, at, selector)
    return bytes(out)


def new_context(bits, base, old):
    new = bytearray(base if bits == 64 else as_32bit(base))
    new[160:416] = old[160:416]
    for at, size in LAYOUTS[bits][2]:
        new[at:at + size] = old[at:at + size]
    return bytes(new)


def new_extended(base, vcpu):
    new = bytearray(base.ljust(EXTENDED, b"\0"))
    callback = 0xffffffff81000000 + 0x1000 * vcpu
    struct.pack_into("<IIQQHH", new, 0, vcpu, EXTENDED, callback, callback + 0x10, 0xe033, 0xe033)
    return bytes(new)


def new_xsave(context, old):
    if len(old) == 16:
        return bytes(16)
    header = struct.pack("<Q", 7).ljust(64, b"\0")
    return struct.pack("<QQ", 7, 7) + context[:512] + header + old[592:848]


def find(data, blob, at=0):
    while True:
        at = data.find(blob, at)
        if at < 0:
            return
        yield at
        at += 1


def contexts_of(data, bits, vcpu):
    """The offsets of context vcpu: its first 512 bytes and its traps are made up as a whole."""
    size, (first, last), _ = LAYOUTS[bits]
    for at in find(data, made_up(7, 31 * vcpu + 3, 0, 512)):
        if data[at + first:at + last] == made_up(7, 31 * vcpu + 3, first, last) and at + size <= len(data):
            yield at


def xsave_at(data, at, vcpu):
    """(offset, size) of the extended state after the extended context that ends at this offset; None if there is none."""
    record = struct.unpack_from("<IIII", data, at)
    if record[0] == XSAVE_RECORD and record[2] == vcpu:
        place, size = at + 16, record[1] - 8
    else:
        mask, size = struct.unpack_from("<QQ", data, at)
        place = at + 16
        if mask != 7:
            return None
    if size not in (16, XSAVE) or data[place:place + size] != made_up(3, 19 * vcpu, 0, size):
        return None
    return place, size


def convert(data, bits, base, base_extended):
    out = bytearray(data)
    blobs = 0
    last = 0
    for vcpu in range(MAX_VCPUS):
        context = None
        if vcpu > last + MAX_OFFLINE:
            break
        for at in list(contexts_of(data, bits, vcpu)):
            context = new_context(bits, base, data[at:at + LAYOUTS[bits][0]])
            out[at:at + len(context)] = context
            blobs += 1
            last = vcpu
        head = struct.pack("<II", vcpu, EXTENDED) + made_up(5, 17 * vcpu, 8, EXTENDED)
        for at in list(find(data, head)):
            out[at:at + EXTENDED] = new_extended(base_extended, vcpu)
            blobs += 1
            xsave = xsave_at(data, at + EXTENDED, vcpu)
            if xsave:
                place, size = xsave
                out[place:place + size] = new_xsave(context, data[place:place + size])
                blobs += 1
    return bytes(out), blobs


def main(paths):
    base, base_extended = recorded()
    for path in paths:
        if path.endswith(".manifest.xz"):
            continue
        data = samples.read(path)
        out, blobs = convert(data, 32 if "pv32" in os.path.basename(path) else 64, base, base_extended)
        print(f"{path}: {blobs} blobs")
        if blobs:
            samples.write(path, out, preset=9)


if __name__ == "__main__":
    main(sys.argv[1:])
