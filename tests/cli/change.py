#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes one known change to a stored image, or writes the same domain in another way:
change.py CHANGE [ARGUMENT...] <image >image. It reads the layers on its own, and shares no code with
the code under test. Changes of bytes keep all lengths."""
import random
import struct
import sys

END, PAGE_DATA, P2M, BASIC, SHARED, TSC, CONTEXT, PARAMS = 0, 1, 3, 4, 7, 8, 9, 10
STATIC_END, CPUID, MSRS = 16, 17, 18
EMULATOR, XENSTORE = 3, 2
HVM_CPU, HVM_IOAPIC = 2, 4
BROKEN = 0xD

data = bytearray(sys.stdin.buffer.read())


def has_data(kind):
    return kind <= 4 or 9 <= kind <= 12


class Image:
    """The image's start and end, and its records: type, offset of the body, length of the body."""

    def __init__(self):
        self.start = 0
        if data.startswith(b"Xen saved domain, xl format\n \0 \r"):
            self.start = 48 + struct.unpack_from("<I", data, 44)[0]
        if data[self.start:self.start + 8] == b"LibxlFmt":
            self.start += 16 + 8
        self.records = []
        at = self.start + 40
        while True:
            kind, length = struct.unpack_from("<II", data, at)
            self.records.append((kind, at + 8, length))
            at += 8 + (length + 7 & ~7)
            if kind == END:
                break
        self.end = at

    def body(self, wanted):
        return next((at, length) for kind, at, length in self.records if kind == wanted)

    def pages(self):
        """Each entry: its offset, pfn, type, and the offset of its contents or None."""
        for kind, at, _ in self.records:
            if kind != PAGE_DATA:
                continue
            count = struct.unpack_from("<I", data, at)[0]
            contents = at + 8 + 8 * count
            for i in range(count):
                entry = struct.unpack_from("<Q", data, at + 8 + 8 * i)[0]
                with_data = has_data(entry >> 60)
                yield at + 8 + 8 * i, entry & (1 << 52) - 1, entry >> 60, contents if with_data else None
                contents += 4096 if with_data else 0

    def page(self, wanted):
        return list(p for p in self.pages() if p[1] == wanted)[-1]

    def behind(self, wanted):
        """The body of a libxl record after the image."""
        at = self.end
        while True:
            kind, length = struct.unpack_from("<II", data, at)
            if kind == wanted:
                return at + 8
            at += 8 + (length + 7 & ~7)


image = Image()


def flip(at, bits=1):
    data[at] ^= bits


def page_byte(pfn, offset):
    flip(image.page(int(pfn, 0))[3] + int(offset, 0))


def page_type(pfn, kind):
    at, number, _, _ = image.page(int(pfn, 0))
    struct.pack_into("<Q", data, at, int(kind, 0) << 60 | number)


def page_pfn(pfn, other):
    """Gives its contents to another pfn, whose entry without a page takes its place."""
    one, two = image.page(int(pfn, 0)), image.page(int(other, 0))
    struct.pack_into("<Q", data, one[0], two[1])
    struct.pack_into("<Q", data, two[0], two[2] << 60 | one[1])


def param(index):
    at, _ = image.body(PARAMS)
    for i in range(struct.unpack_from("<I", data, at)[0]):
        if struct.unpack_from("<Q", data, at + 8 + 16 * i)[0] == int(index):
            flip(at + 16 + 16 * i)


def set_param(index, other, value):
    """Puts another param in the place of this one."""
    at, _ = image.body(PARAMS)
    for i in range(struct.unpack_from("<I", data, at)[0]):
        if struct.unpack_from("<Q", data, at + 8 + 16 * i)[0] == int(index):
            struct.pack_into("<QQ", data, at + 8 + 16 * i, int(other), int(value, 0))


def context(code, offset):
    at, length = image.body(CONTEXT)
    end = at + length
    while at < end:
        kind, _, size = struct.unpack_from("<HHI", data, at)
        if kind == int(code):
            flip(at + 8 + int(offset))
            return
        at += 8 + size


def basic(offset):
    flip(image.body(BASIC)[0] + 8 + int(offset))


def cpuid(leaf, register, bit):
    at, length = image.body(CPUID)
    for entry in range(at, at + length, 24):
        if struct.unpack_from("<I", data, entry)[0] == int(leaf, 0):
            flip(entry + 8 + 4 * int(register) + int(bit) // 8, 1 << int(bit) % 8)
            return


def msr(index, bit):
    at, length = image.body(MSRS)
    for entry in range(at, at + length, 16):
        if struct.unpack_from("<I", data, entry)[0] == int(index, 0):
            flip(entry + 8 + int(bit) // 8, 1 << int(bit) % 8)


def subleaf(leaf, number):
    at, length = image.body(CPUID)
    for entry in range(at, at + length, 24):
        if struct.unpack_from("<I", data, entry)[0] == int(leaf, 0):
            struct.pack_into("<I", data, entry + 4, int(number, 0))
            return


def body(kind, offset):
    flip(image.body(int(kind))[0] + int(offset))


def behind(kind, offset):
    flip(image.behind(int(kind)) + int(offset))


def text(old, new):
    at = data.index(old.encode())
    assert len(old) == len(new)
    data[at:at + len(old)] = new.encode()


def record(kind, body):
    return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)


def page_record(batch):
    body = struct.pack("<II", len(batch), 0)
    body += b"".join(struct.pack("<Q", kind << 60 | pfn) for pfn, kind, _ in batch)
    return record(PAGE_DATA, body + b"".join(contents for _, _, contents in batch if contents is not None))


def replace(records):
    data[image.start + 40:image.end] = b"".join(records)


def others():
    """The records other than pages: those before them, and those after."""
    before, after = [], []
    for kind, at, length in image.records:
        if kind == PAGE_DATA:
            continue
        is_before = kind in (STATIC_END, CPUID, MSRS, P2M, 2)
        (before if is_before else after).append(record(kind, bytes(data[at:at + length])))
    return before, after


def resend(seed):
    """The same pages in another order and in other batches; most were sent earlier with other contents. Only
    some of the pfns without a page have an entry."""
    rnd = random.Random(int(seed))
    last = {}
    for _, pfn, kind, contents in image.pages():
        if contents is None and pfn % 64:
            continue
        last[pfn] = (pfn, kind, None if contents is None else bytes(data[contents:contents + 4096]))
    early = [(pfn, kind, None if contents is None else rnd.randbytes(4096))
             for pfn, kind, contents in last.values() if rnd.random() < 0.7]
    late = list(last.values())
    rnd.shuffle(early)
    rnd.shuffle(late)
    pages, batches, at = early + late, [], 0
    while at < len(pages):
        n = rnd.randint(1, 200)
        batches.append(page_record(pages[at:at + n]))
        at += n
    before, after = others()
    replace(before + batches + after)


def backwards():
    """Reverses the records after the pages, except END; each vCPU's records keep their order."""
    before, after = others()
    pages = [record(kind, bytes(data[at:at + length])) for kind, at, length in image.records if kind == PAGE_DATA]
    replace(before + pages + after[-2::-1] + after[-1:])


def version3():
    """Turns an image of version 2 into version 3: STATIC_DATA_END is put where it is inferred."""
    struct.pack_into(">I", data, image.start + 12, 3)
    records, done = [], False
    for kind, at, length in image.records:
        if kind in (PAGE_DATA, P2M) and not done:
            records.append(record(STATIC_END, b""))
            done = True
        records.append(record(kind, bytes(data[at:at + length])))
    replace(records)


def small():
    """Keeps only the first record of pages, for tests that need no more."""
    before, after = others()
    pages = [record(kind, bytes(data[at:at + length])) for kind, at, length in image.records if kind == PAGE_DATA]
    replace(before + pages[:1] + after)


def bare():
    del data[image.end:]
    del data[:image.start]


globals()[sys.argv[1]](*sys.argv[2:])
sys.stdout.buffer.write(data)
