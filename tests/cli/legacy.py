# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns an xl save file into what Xen 4.5 would have written: legacy.py 32|64 [bare] IN OUT. 32 or 64 is the
width of its tools; bare leaves out xl's header. HVM, and 64-bit PV guests without XSAVE state. If the
guest runs on after godwit converted the result, nothing was lost."""
import struct
import sys

BATCH = 1024
END, PAGE_DATA, P2M_FRAMES, VCPU_BASIC, VCPU_EXTENDED, VCPU_XSAVE = 0, 1, 3, 4, 5, 6
LIBXC_CONTEXT, EMULATOR_CONTEXT = 1, 3  # of libxl's
SHARED_INFO, TSC_INFO, HVM_CONTEXT, HVM_PARAMS = 7, 8, 9, 10
BROKEN, XALLOC, XTAB = 13, 14, 15
STORE, IOREQ, BUFIOREQ = 1, 5, 6
CHUNK_OF_PARAM = {12: -3, 15: -4, 17: -8, 19: -10, 9: -11, 34: -14, 27: -15, 28: -16, 29: -17}
FRAME_LIST_LIST = 3088 + 8  # in a 64-bit guest's shared info, where the tail has zeros


def records(data, at):
    while True:
        kind, length = struct.unpack_from("<II", data, at)
        yield kind, data[at + 8:at + 8 + length]
        if kind == END:
            return
        at += 8 + (length + 7 & ~7)


def model_of(data, at):
    """The state of the device model in the libxl stream that begins with this record."""
    while True:
        kind, length = struct.unpack_from("<II", data, at)
        at += 8
        if kind == LIBXC_CONTEXT:
            at += 40
            for _, body in records(data, at):
                at += 8 + (len(body) + 7 & ~7)
        elif kind == EMULATOR_CONTEXT:
            return data[at + 8:at + length]
        elif kind == END:
            return b"QEVM\0\0\0\3\0"
        at += length + 7 & ~7


class Image:
    """The domain's state in a version 3 image."""

    def __init__(self, data, at):
        self.hvm = struct.unpack_from("<I", data, at + 24)[0] == 2
        self.pages, self.params, self.vcpus = [], {}, {}
        for kind, body in records(data, at + 40):
            if kind == PAGE_DATA:
                self.take_pages(body)
            elif kind == HVM_PARAMS:
                for i in range(struct.unpack_from("<I", body)[0]):
                    index, value = struct.unpack_from("<QQ", body, 8 + 16 * i)
                    self.params[index] = value
            elif kind == TSC_INFO:
                self.tsc = struct.unpack("<IIQII", body)
            elif kind == HVM_CONTEXT:
                self.context = body
            elif kind == P2M_FRAMES:
                end = struct.unpack_from("<I", body, 4)[0]
                self.frames = (end + 1, struct.unpack_from(f"<{len(body) // 8 - 1}Q", body, 8))
            elif kind in (VCPU_BASIC, VCPU_EXTENDED):
                self.vcpus.setdefault(struct.unpack_from("<I", body)[0], {})[kind] = body[8:]
            elif kind == SHARED_INFO:
                self.shared_info = body
            assert kind != VCPU_XSAVE, "XSAVE state is not made here"

    def take_pages(self, body):
        count = struct.unpack_from("<I", body)[0]
        at = 8 + 8 * count
        for entry in struct.unpack_from(f"<{count}Q", body, 8):
            kind = entry >> 60
            if kind == XTAB:
                continue
            assert kind not in (BROKEN, XALLOC)
            # In legacy entries the type is in bits 31 to 28.
            self.pages.append((kind << 28 | entry & 0xfffffff, body[at:at + 4096]))
            at += 4096


def body_of(image, ulong):
    mode, khz, nsec, incarnation, _ = image.tsc
    yield struct.pack("<iIQII", -7, mode, nsec, khz, incarnation)
    for i in range(0, len(image.pages), BATCH):
        part = image.pages[i:i + BATCH]
        yield struct.pack(f"<i{len(part)}{ulong}", len(part), *(entry for entry, _ in part))
        yield b"".join(contents for _, contents in part)
    last = max(image.vcpus, default=0)
    words = [0] * (last // 64 + 1)
    for vcpu in image.vcpus or [0]:
        words[vcpu // 64] |= 1 << vcpu % 64
    yield struct.pack(f"<ii{len(words)}Q", -2, last, *words)
    for index, chunk in CHUNK_OF_PARAM.items():
        if image.params.get(index):
            yield struct.pack("<iIQ", chunk, 0, image.params[index])
    yield struct.pack("<i", -9)
    yield struct.pack("<i", 0)


def hvm(image, ulong):
    yield struct.pack("<" + ulong, max(entry & 0xfffffff for entry, _ in image.pages) + 1)
    yield from body_of(image, ulong)
    yield struct.pack("<QQQ", *(image.params[p] for p in (IOREQ, BUFIOREQ, STORE)))
    yield struct.pack("<I", len(image.context)) + image.context
    # A PVH guest has none, and libxl refuses a stream that has.
    if image.model is not None:
        yield b"DeviceModelRecord0002" + struct.pack("<I", len(image.model)) + image.model


def pv(image, ulong):
    p2m_size, frames = image.frames
    context = image.vcpus[0][VCPU_BASIC]
    info = struct.pack("<4sI", b"vcpu", len(context)) + context + struct.pack("<4sI", b"extv", 0)
    ones = (1 << 8 * struct.calcsize("<" + ulong)) - 1
    yield struct.pack(f"<{ulong}{ulong}I", p2m_size, ones, len(info)) + info
    yield struct.pack(f"<{len(frames)}{ulong}", *frames)
    yield from body_of(image, ulong)
    yield struct.pack("<I", 0)  # no pfns without memory
    for _, vcpu in sorted(image.vcpus.items()):
        yield vcpu[VCPU_BASIC] + vcpu[VCPU_EXTENDED].ljust(128, b"\0")
    info = bytearray(image.shared_info)
    info[FRAME_LIST_LIST:FRAME_LIST_LIST + 8] = bytes(8)
    yield bytes(info)


def main():
    ulong = "Q" if sys.argv[1] == "64" else "I"
    source, name = sys.argv[-2:]
    with open(source, "rb") as f:
        data = f.read()
    config_end = 48 + struct.unpack_from("<I", data, 44)[0]
    image = Image(data, config_end + 16 + 8)  # libxl's header and LIBXC_CONTEXT
    pvh = "bare" not in sys.argv and b'"type": "pvh"' in data[48:config_end]
    image.model = None if pvh else model_of(data, config_end + 16)
    with open(name, "wb") as f:
        if "bare" not in sys.argv:
            # The config is JSON, and no libxl stream follows.
            f.write(data[:36] + struct.pack("<I", 1) + data[40:config_end])
        for part in (hvm if image.hvm else pv)(image, ulong):
            f.write(part)


main()
