#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes seeds for the fuzz targets from real streams: usage: thin.py STREAM... (plain or .xz), from the
top of the tree. Keeps every record; of a PAGE_DATA only the first two entries, one of them with its
page, and of a run of PAGE_DATA only two. Long opaque bodies are cut where the format lets them be."""

import lzma
import os
import struct
import sys

from thin_legacy import looks_legacy, thin_legacy

MARK = b"\xff" * 8 + b"XENF"


def thin_pages(body):
    count = struct.unpack_from("<I", body)[0]
    entries = list(struct.unpack_from("<%dQ" % count, body, 8))
    has_data = [e >> 60 <= 4 or 9 <= e >> 60 <= 12 for e in entries]
    keep, at, pages = [], 8 + 8 * count, b""
    for i, entry in enumerate(entries):
        page = body[at:at + 4096] if has_data[i] else b""
        at += len(page)
        wanted = (has_data[i] and not pages) or (not has_data[i] and len(keep) < 2)
        if wanted and len(keep) < 3:
            keep.append(entry)
            pages += page
    body = struct.pack("<II", len(keep), 0) + struct.pack("<%dQ" % len(keep), *keep) + pages
    return body


def thin_image(data, at):
    """Returns the kept records of the image at offset at, the offset where they end, and the type of the last."""
    out, run = b"", 0
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8:at + 8 + length]
        at += 8 + (length + 7 & ~7)
        run = run + 1 if kind == 1 else 0
        if run > 2:
            continue
        if kind == 1:
            body = thin_pages(body)
        out += struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)
        if kind in (0, 0xe):
            return out, at, kind
    return out, at, None


def thin_stream(data, at):
    """A libxl stream from its header to its end."""
    out, checkpointed = data[at:at + 16], False
    at += 16
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8:at + 8 + length]
        at += 8 + (length + 7 & ~7)
        if kind == 3:
            body = body[:264]
        out += struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)
        if kind == 0:
            break
        if kind == 1 or (kind == 4 and checkpointed and at < len(data)):
            head = data[at:at + 40] if kind == 1 else b""
            image, at, last = thin_image(data, at + len(head))
            checkpointed = last == 0xe
            out += head + image
    return out + data[at:]


def thin(data):
    if data.startswith(b"Xen saved domain"):
        end = 48 + struct.unpack_from("<I", data, 44)[0]
        follows = thin_stream if data[36] & 2 else thin_legacy
        return "xlfile", data[:end] + follows(data, end)
    if data.startswith(b"LinuxGuestRecord"):
        end = 20 + struct.unpack_from(">i", data, 16)[0]
        return "xlfile", data[:end] + thin_legacy(data, end)
    if data.startswith(b"LibxlFmt"):
        return "stream", thin_stream(data, 0)
    if data.startswith(MARK):
        out, at, last = data[:40], 40, 0xe
        while last == 0xe:
            part, at, last = thin_image(data, at)
            out += part
        return "image", out
    if looks_legacy(data, 0):
        return "legacy", thin_legacy(data, 0)
    return None, None


for path in sys.argv[1:]:
    raw = (lzma.open if path.endswith(".xz") else open)(path, "rb").read()
    target, seed = thin(raw)
    if target is None:
        print("%s: no stream of ours" % path, file=sys.stderr)
        continue
    name = os.path.basename(path).removesuffix(".xz")
    folder = os.path.join("fuzz", "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(seed)
    print("%s: %d of %d bytes" % (os.path.join(folder, name), len(seed), len(raw)))
