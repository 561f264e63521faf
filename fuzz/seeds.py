#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes seeds for the fuzz targets that read one part of a stream, or no stream at all: from the seeds of thin.py,
from the sources of the project, and by hand. usage: seeds.py, from the top of the tree. A seed is named after what it
is made of; files of other names stay."""

import gzip
import json
import lzma
import os
import struct
import subprocess

CORPUS = os.path.join("fuzz", "corpus")
PV_RECORDS = [4, 5, 6, 12, 3, 7, 8, 15]  # the order of types[] in fuzz_pv_vcpu.c, as numbers of the format


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


def write(target, name, data):
    folder = os.path.join(CORPUS, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def records(image):
    at = 40
    while at + 8 <= len(image):
        kind, length = struct.unpack_from("<II", image, at)
        yield kind, image[at + 8:at + 8 + length]
        at += 8 + (length + 7 & ~7)


def images():
    """Names and bytes of the plain images, of the image inside of each other seed as well."""
    for layer in ("image", "stream", "xlfile"):
        for name in sorted(os.listdir(os.path.join(CORPUS, layer))):
            data = read(CORPUS, layer, name)
            at = data.find(b"\xff" * 8 + b"XENF")
            if at >= 0:
                yield name, data[at:]


def from_images():
    for name, image in images():
        width, seen = 8, set()
        for kind, body in records(image):
            if kind in seen:
                continue
            seen.add(kind)
            if kind == 2:
                width = body[0]
            if kind == 9 and name in ("v3_422_hvm_1024", "tiny-hvm.save", "tiny-pvh.save"):
                write("hvm_context", name, body)
                write("emu_state", "context-" + name, b"\0" + body)
            if kind == 17 and "tiny" in name:
                write("policy", "cpuid-" + name, bytes([2 if "pv." in name else 0]) + body)
            if kind == 18 and "tiny" in name:
                write("policy", "msr-" + name, bytes([3 if "pv." in name else 1]) + body)
            if kind in PV_RECORDS and name in ("v3_422_pv64_1024", "v3_422_pv32_live_1024", "tiny-pv.save"):
                which = PV_RECORDS.index(kind) | (0x80 if width == 4 else 0)
                write("pv_vcpu", "%s-%x" % (name, kind), bytes([which]) + body)


def frame(kind, body=b"", flags=0):
    return struct.pack("<IIQ", kind, flags, len(body)) + body


def hello(features=0):
    return frame(1, b"GODWIT01" + struct.pack("<IIQQ", 1, 1, features, 0) + bytes(16))


def static_end(stream):
    """Where the static data of a libxl stream ends."""
    at = stream.find(b"\xff" * 8 + b"XENF") + 40
    while at + 8 <= len(stream):
        kind, length = struct.unpack_from("<II", stream, at)
        at += 8 + (length + 7 & ~7)
        if kind == 16:
            return at
    return None


def frames():
    config = frame(2, struct.pack("<II", 0, 0) + b'{"c_info":{"type":"hvm"}}')
    stream = read(CORPUS, "stream", "v3_422_libxl_hvm_1024")
    cut = static_end(stream)
    data, rest = frame(3, stream[:cut]), frame(3, stream[cut:])
    whole = hello() + config + data + frame(4) + frame(7) + rest
    write("frames_receive", "whole", whole + frame(9) + frame(11))
    write("frames_receive", "no-release", whole + frame(9))
    write("frames_receive", "cancelled", hello() + config + data + frame(4) + frame(13))
    write("frames_receive", "error", hello() + config + frame(14, b"the disk is full"))
    write("frames_receive", "extras", hello() + frame(99, b"later", 1) + frame(15, b"", 1) + config)
    done = frame(12, struct.pack("<QQQ", 1, 2, 3))
    answers = hello() + frame(16, b"", 1) + frame(5) + frame(8) + frame(10) + done
    for live in (0, 1):
        write("frames_send", "whole-%d" % live, bytes([255, live]) + answers)
    write("frames_send", "refused", bytes([255, 0]) + hello() + frame(6, b"no CPU feature\nno memory"))
    write("frames_send", "error", bytes([3, 0]) + hello() + frame(5) + frame(14, b"no room"))
    write("frames_send", "no-mine", bytes([255, 0]) + hello() + frame(5) + frame(8))


def control():
    lines = [{"request": name} for name in ("info", "pause", "resume", "job", "cancel", "console", "destroy", "keep")]
    lines += [{"request": "save", "live": True, "downtime_ms": 300, "on_stall": "abort", "trace": True},
              {"request": "migrate", "silence_ms": 1000, "tls": {"host": "b", "ca": "", "psk": "a:00"}},
              {"request": "resume", "claim": True}, {"request": "keep", "then": "run"}]
    for line in lines:
        write("control_server", "%s-%d" % (line["request"], len(line)), b"\xff" + json.dumps(line).encode() + b"\n")
    whole = "".join(json.dumps(line) + "\n" for line in lines).encode()
    write("control_server", "all", b"\x01" + whole)
    answers = [{"event": "progress", "stage": "memory", "round": 1, "percent": 3},
               {"reply": "cancel", "ok": True}, {"reply": "info", "ok": True, "id": 7, "name": "g"}]
    write("control_client", "info", b"\0" + "".join(json.dumps(a) + "\n" for a in answers).encode())
    failed = {"reply": "save", "ok": False, "error": {
        "code": "refused", "message": "no", "rule": "x", "reasons": ["a", "b", 3], "reasons_left_out": 4}}
    write("control_client", "failed", b"\1" + json.dumps(failed).encode() + b"\n")


def texts():
    configs = [name for name in sorted(os.listdir(os.path.join(CORPUS, "xlfile"))) if not name.startswith("xend")]
    for name in configs:
        data = read(CORPUS, "xlfile", name)
        write("config", name, data[48:48 + struct.unpack_from("<I", data, 44)[0]].rstrip(b"\0"))
    for name in ("xend_hvm", "xend_pv"):
        write("xend", name, read(CORPUS, "xlfile", name)[:6000])
    write("settings", "all", b"# comment\naccept = v3, v2\nwarn = legacy\ntls-ca = /etc/ca.pem\n\nunknown = 1\n")
    write("settings", "bad", b"accept\n= v3\naccept = , ,\n" + b"x" * 1300)
    for i, text in enumerate((b"tcp:[::1]:7000", b"tcp:localhost:0", b"tls:b.example:65535", b"unix:/run/x.sock", b"fd:3,4",
                              b"v3,v2 legacy", b"memory:?pages=16&seed=3&guest=7", b"4e6e1c9a-0a6a-4c7a-8a37-3f6b8b0e7f10")):
        write("address", "made-%d" % i, text)
    write("keys", "two", b"a:000102030405060708090a0b0c0d0e0f\r\nhost:b:" + b"ab" * 64 + b"\n")
    write("keys", "bad", b"a:00\nb\n::\n")
    write("trace", "fast-32", b"".join(read("tests", "data", "traces", "fast-32.trace").splitlines(True)[:12]))


def compressed():
    data = read(CORPUS, "stream", "v3_422_libxl_hvm_1024")
    write("compressed", "gzip", gzip.compress(data, mtime=0))
    write("compressed", "xz", lzma.compress(data))
    write("compressed", "xz-lzma1", lzma.compress(data, format=lzma.FORMAT_ALONE))
    zstd = subprocess.run(["zstd", "-q", "-c", "--check"], input=data, stdout=subprocess.PIPE, check=True).stdout
    write("compressed", "zstd", zstd)
    write("compressed", "zstd-two", zstd + b"\x50\x2a\x4d\x18\4\0\0\0skip" + zstd)
    write("compressed", "plain", data[:64])


def dirty_lists():
    pfns = struct.pack("<QQ", 1, 1023)
    write("dirty_list", "old", struct.pack("<II", 15, 16) + pfns + struct.pack("<II", 15, 0))
    write("dirty_list", "new", struct.pack("<IIQ", 15, 16, 0) + pfns)


def page_tables():
    def use(frame_number, kind):
        return bytes([0, frame_number - 4, kind - 1])

    def entry(frame_number, slot, target, flags=0x67):
        return bytes([2, frame_number - 4]) + struct.pack("<HHB", slot, flags, target)

    tree = entry(4, 0, 5) + entry(5, 0, 6) + entry(6, 0, 7) + entry(7, 0, 8)
    write("pv_tables", "tree-64", b"\0" + tree + use(4, 4) + entry(7, 1, 9) + entry(4, 1, 4, 0x25) + b"\1\0")
    write("pv_tables", "tree-32", b"\1" + entry(4, 0, 5, 1) + entry(5, 0, 6) + entry(6, 0, 7) + use(4, 3))
    write("pv_tables", "faults", b"\2" + entry(7, 0, 2) + entry(7, 1, 7) + use(7, 1) + use(8, 5) + use(8, 6))


def hypercalls():
    def argument(value):
        return bytes([0x40]) + struct.pack("<H", value)

    def call(number, *arguments):
        return b"\7" + b"".join(argument(a) for a in (number, *arguments, 0, 0, 0)[:4])

    def store(at, data):
        return b"\0" + struct.pack("<HB", at, len(data)) + data

    info = store(0x2000, struct.pack("<HHIQQ", 0x7ff0, 0, 0, 0, 20))
    alloc = store(0x2100, struct.pack("<HHI", 0x7ff0, 0, 0)) + call(32, 6, 0x2100)
    console = store(0x2200, b"hello") + call(18, 0, 5, 0x2200)
    params = store(0x2300, struct.pack("<HHIQ", 0x7ff0, 0, 1, 3)) + call(34, 0, 0x2300) + call(34, 1, 0x2300)
    nobody = store(0x2100, struct.pack("<HHI", 0x7ff0, 0xffff, 0)) + call(32, 6, 0x2100)
    write("hypercall", "no-such-domain", b"\3" + info + call(12, 7, 0x2000) + nobody)
    halt = store(0x2400, struct.pack("<I", 2)) + call(29, 2, 0x2400)
    for mode, name in ((2, "32"), (3, "64")):
        write("hypercall", "all-" + name, bytes([mode]) + info + call(12, 7, 0x2000) + alloc + console + params +
              call(17, 0) + b"\5" + b"\4" + argument(0x3000) + halt)
    write("hypercall", "paging", b"\0" + store(0x4000, struct.pack("<II", 0x5003, 0x83)) + b"\2\1" +
          struct.pack("<Q", 0x4000) + b"\2\2" + struct.pack("<Q", 0x10) + b"\2\0" + struct.pack("<Q", 1 << 31) + alloc)
    head = struct.pack("<IIQQIIQ", 1, 3, 20, 3, 1, 1, 0) + struct.pack("<II", 1, 0) + bytes(4096)
    write("emu_state", "xenabi", b"\2" + head)


def guests():
    write("save_pv", "wide", b"\1")
    write("save_pv", "narrow", b"\0")
    write("save_pv", "shared", b"\x23" + struct.pack("<HQ", 3088 + 8, 7) + struct.pack("<HQ", 3088, 1 << 40))
    write("save_pv", "memory", b"\1" + struct.pack("<HHB", 4, 56, 8) + struct.pack("<Q", 1 << 50))
    for target in ("restore", "verify"):
        for name in ("wide", "narrow"):
            write(target, name, name[:1].encode())
        write(target, "root", b"w" + struct.pack("<HBB", 40 + 16 + 8 + 24 + 8 + 8 + 7, 0, 1) + b"\x40")
    for name in ("v3_422_libxl_hvm_1024",):
        write("restore", name, read(CORPUS, "stream", name))
    for name in ("v2_46_hvm_w64_1024", "v3_422_hvm_1024", "v3_422_pv64_1024"):
        write("restore", name, read(CORPUS, "image", name))
    write("verify", "tiny-pvh.save", read(CORPUS, "xlfile", "tiny-pvh.save"))
    write("verify", "xend_hvm", read(CORPUS, "xlfile", "xend_hvm"))
    write("verify", "v3_422_hvm_1024", read(CORPUS, "image", "v3_422_hvm_1024"))
    for name in ("leg45_hvm_w32_1024", "leg45_pv32_w32_1024", "made_tmem"):
        write("convert", name, read(CORPUS, "legacy", name))
    write("convert", "v2_46_hvm_w64_1024", read(CORPUS, "image", "v2_46_hvm_w64_1024"))


def machines():
    qemu = b"QEVM" + struct.pack(">I", 3)

    def section(number, name, data):
        return b"\4" + struct.pack(">IB", number, len(name)) + name + struct.pack(">II", 0, 1) + data

    write("qemu", "plain", b"\x10" + qemu + section(1, b"timer", bytes(24)) + section(2, b"apic", bytes(64)) + b"\0")
    footers = b"".join(section(i, b"dev%d" % i, bytes(9)) + b"\x7e" + struct.pack(">I", i) for i in (1, 2))
    text = json.dumps({"page_size": 4096, "devices": [{"name": "dev1", "instance_id": 0, "vmsd_name": "dev1", "version": 1,
                                                       "fields": [{"name": "x", "type": "u", "size": 9}]}]}).encode()
    write("qemu", "footers", b"\0" + qemu + footers + b"\0" + b"\6" + struct.pack(">I", len(text)) + text)
    write("qemu", "empty", b"\1" + qemu + b"\0")


def kernels():
    """ELF files with a note that says where the guest begins."""
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", 0x100000)
    code = b"\xf4" * 16
    for wide in (0, 1):
        ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
        size, entry_size = (64, 56) if wide else (52, 32)
        at = size + 2 * entry_size
        if wide:
            head = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x100000, size, 0, 0, size, entry_size, 2, 0, 0, 0)
            parts = struct.pack("<IIQQQQQQ", 1, 7, at, 0x100000, 0x100000, len(code), 8192, 4096)
            parts += struct.pack("<IIQQQQQQ", 4, 4, at + len(code), 0, 0, len(note), len(note), 4)
        else:
            head = struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x100000, size, 0, 0, size, entry_size, 2, 0, 0, 0)
            parts = struct.pack("<IIIIIIII", 1, at, 0x100000, 0x100000, len(code), 8192, 7, 4096)
            parts += struct.pack("<IIIIIIII", 4, at + len(code), 0, 0, len(note), len(note), 4, 4)
        write("kernel", "made-%d" % (64 if wide else 32), ident + head + parts + code + note)


for make in (from_images, frames, control, texts, compressed, dirty_lists, page_tables, hypercalls, guests, machines,
             kernels):
    make()
