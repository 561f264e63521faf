# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints a word of a saved guest's memory: page.py FILE PFN OFFSET. It reads the xl save file on its
own, so that it checks what godwit writes."""
import array
import struct
import sys


def main():
    path, pfn, offset = sys.argv[1], int(sys.argv[2], 0), int(sys.argv[3], 0)
    with open(path, "rb") as f:
        data = f.read()
    assert data.startswith(b"Xen saved domain, xl format\n \0 \r"), "no xl header"
    at = 48 + struct.unpack_from("<I", data, 44)[0]
    assert data[at:at + 8] == b"LibxlFmt", "no libxl stream"
    at += 16
    assert struct.unpack_from("<II", data, at) == (1, 0), "no LIBXC_CONTEXT"
    at += 8
    assert data[at:at + 8] == b"\xff" * 8, "no libxc image"
    at += 24 + 16
    word = None
    while True:
        kind, length = struct.unpack_from("<II", data, at)
        body = at + 8
        at = body + (length + 7) // 8 * 8
        if kind == 0:
            break
        if kind != 1:
            continue
        count = struct.unpack_from("<I", data, body)[0]
        entries = array.array("Q", data[body + 8:body + 8 + 8 * count])
        # An ordinary page's type is 0, so that its entry is the pfn itself.
        if pfn in entries:
            before = sum(e >> 60 not in (0xd, 0xe, 0xf) for e in entries[:entries.index(pfn)])
            word = struct.unpack_from("<I", data, body + 8 + 8 * count + 4096 * before + offset)[0]
    if word is None:
        sys.exit("pfn 0x%x is not in %s" % (pfn, path))
    print("0x%x" % word)


main()
