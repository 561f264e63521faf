# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares a raw export with a manifest of tests/data: export.py RAW MANIFEST.xz. Every page that the
manifest lists must be there with its contents, all other pages must be zero, and the file must
end with the highest populated pfn. With "-" for the manifest: prints a word, export.py RAW - OFFSET."""
import hashlib
import lzma
import os
import struct
import sys

PAGE = 4096
XALLOC = 0xe


def main():
    fd = os.open(sys.argv[1], os.O_RDONLY)
    if sys.argv[2] == "-":
        print("0x%x" % struct.unpack("<I", os.pread(fd, 4, int(sys.argv[3], 0)))[0])
        return
    end, listed = 0, set()
    for line in lzma.open(sys.argv[2], "rt"):
        if line.startswith("#"):
            continue
        pfn, kind, digest = line.split()
        pfn, kind = int(pfn, 16), int(kind, 16) >> 28
        if digest != "-":
            listed.add(pfn)
            found = hashlib.sha256(os.pread(fd, PAGE, pfn * PAGE)).hexdigest()[:16]
            if found != digest:
                sys.exit("pfn 0x%x: %s, expected %s" % (pfn, found, digest))
        if digest != "-" or kind == XALLOC:
            end = max(end, pfn + 1)
    size = os.fstat(fd).st_size
    if not listed or size != end * PAGE:
        sys.exit("%d bytes, expected %d" % (size, end * PAGE))
    at = 0
    while at < size:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            break  # only a hole
        if at // PAGE not in listed and any(os.pread(fd, PAGE, at // PAGE * PAGE)):
            sys.exit("pfn 0x%x is not in the manifest" % (at // PAGE))
        at = (at // PAGE + 1) * PAGE


main()
