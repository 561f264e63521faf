# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares godwit's conversion of a legacy image with Xen's: convert_xen.py XEN GODWIT. Both are libxc
images or libxl streams of version 3. Prints what differs, and exits with 1 if anything does.

These differences are intended and not printed:

- Xen writes the params of an HVM guest in two records (those of chunks, those of the tail), godwit in one.
- Xen writes X86_TSC_INFO at the place of its chunk and SHARED_INFO after the vCPUs, godwit both between the
  pages and the vCPUs, as Xen does today.
- Xen drops ENABLE_VERIFY_MODE, and pages sent again to be compared are applied; godwit writes VERIFY.
- Xen drops the list of pfns without memory of a PV guest's tail; godwit writes it as XTAB entries.
- Xen writes the raw device model record of libxl after a libxc image, which no longer has one; godwit
  leaves it out and reports that.

The pages must be the same in the same order, in whatever records."""
import hashlib
import struct
import sys

PAGE = 4096
END, PAGE_DATA, PV_INFO, SHARED_INFO, TSC, PARAMS, VERIFY = 0, 1, 2, 7, 8, 10, 13
LIBXL, LIBXC_CONTEXT = b"LibxlFmt", 1
XTAB, BROKEN, XALLOC = 0xf, 0xd, 0xe


class Stream:
    """A converted stream, without the intended differences."""

    def __init__(self, path):
        self.data = memoryview(open(path, "rb").read())
        self.at = 0
        self.pages, self.params, self.records, self.libxl = [], {}, [], []
        self.header = b""
        if bytes(self.data[:8]) == LIBXL:
            self.header = self.take(16)
            assert self.record() == (LIBXC_CONTEXT, b""), "LIBXC_CONTEXT is missing"
        self.image()
        if self.header:
            while not self.libxl or self.libxl[-1][0] != END:
                self.libxl.append(self.record())
            assert self.at == len(self.data), "%d bytes after END" % (len(self.data) - self.at)

    def take(self, n):
        assert self.at + n <= len(self.data), "cut at 0x%x" % self.at
        self.at += n
        return bytes(self.data[self.at - n:self.at])

    def record(self):
        kind, length = struct.unpack("<II", self.take(8))
        body = self.take(length)
        assert not any(self.take(-length % 8)), "padding before 0x%x" % self.at
        return kind, body

    def image(self):
        self.image_headers = self.take(24 + 16)
        while True:
            kind, body = self.record()
            if kind == PAGE_DATA:
                self.page_data(body)
            elif kind == PARAMS:
                count, reserved = struct.unpack_from("<II", body)
                assert reserved == 0 and len(body) == 8 + 16 * count, "HVM_PARAMS"
                for index, value in struct.iter_unpack("<QQ", body[8:]):
                    assert index not in self.params, "param %d twice" % index
                    self.params[index] = value
            elif kind != VERIFY:
                self.records.append((kind, body))
            if kind == END:
                break
        # The place of these two records may differ.
        self.records.sort(key=lambda record: record[0] if record[0] in (TSC, SHARED_INFO) else 0)
        # The list of pfns without memory: godwit writes it as entries without contents.
        if any(kind == PV_INFO for kind, _ in self.records):
            self.pages = [page for page in self.pages if page[0] != XTAB]

    def page_data(self, body):
        count, reserved = struct.unpack_from("<II", body)
        assert count and not reserved, "PAGE_DATA"
        at = 8 + 8 * count
        for (entry,) in struct.iter_unpack("<Q", body[8:at]):
            kind, pfn, digest = entry >> 60, entry & (1 << 52) - 1, ""
            if kind not in (XTAB, BROKEN, XALLOC):
                digest = hashlib.sha256(body[at:at + PAGE]).hexdigest()
                at += PAGE
            self.pages.append((kind, pfn, digest))
        assert at == len(body), "length of PAGE_DATA"


def differences(xen, godwit):
    if xen.header != godwit.header:
        yield "header of the stream"
    if xen.image_headers != godwit.image_headers:
        yield "headers of the image: %s, Xen %s" % (godwit.image_headers.hex(), xen.image_headers.hex())
    if not xen.pages:
        yield "no pages at all"
    if len(xen.pages) != len(godwit.pages):
        yield "%d pages, Xen %d" % (len(godwit.pages), len(xen.pages))
    for number, (a, b) in enumerate(zip(xen.pages, godwit.pages)):
        if a != b:
            yield "page %d: type %x, pfn 0x%x, %.16s; Xen type %x, pfn 0x%x, %.16s" % ((number,) + b + a)
            break
    if xen.params != godwit.params:
        yield "params %s, Xen %s" % (godwit.params, xen.params)
    for name, a, b in (("image", xen.records, godwit.records), ("stream", xen.libxl, godwit.libxl)):
        if [kind for kind, _ in a] != [kind for kind, _ in b]:
            yield "%s: records %s, Xen %s" % (name, [kind for kind, _ in b], [kind for kind, _ in a])
        for (kind, mine), (_, yours) in zip(a, b):
            if mine != yours:
                yield "%s: record 0x%x of %d bytes, Xen %d" % (name, kind, len(yours), len(mine))


def main():
    found = list(differences(Stream(sys.argv[1]), Stream(sys.argv[2])))
    for text in found:
        print(text)
    sys.exit(bool(found))


main()
