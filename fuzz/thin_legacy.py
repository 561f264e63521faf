# SPDX-License-Identifier: LGPL-2.1-or-later
"""Thins legacy images for thin.py: a batch keeps its first few entries, one or two of them with their
pages, and a run of batches keeps two. A compressed round keeps the data of the pages that are kept."""

import struct

BODILESS = (0, -1, -9, -13)
NO_PAGE = (0xd, 0xe, 0xf)


class Legacy:
    def __init__(self, data, at):
        self.data, self.at, self.out = data, at, b""
        self.width = 4 if struct.unpack_from("<I", data, at + 4)[0] else 8
        marker = data[at + self.width:at + 2 * self.width]
        self.pv = marker == b"\xff" * self.width
        self.guest, self.ext, self.xsave = self.width, 0, 0
        self.vcpus, self.compressed, self.last = 1, False, False

    def take(self, n):
        part = self.data[self.at:self.at + n]
        self.at += n
        return part

    def keep(self, n):
        self.out += self.take(n)

    def u32(self, ahead=0):
        return struct.unpack_from("<I", self.data, self.at + ahead)[0]

    def long(self, ahead=0):
        return self.u32(ahead) if self.width == 4 else struct.unpack_from("<Q", self.data, self.at + ahead)[0]

    def header(self):
        size = self.long()
        self.keep(self.width)
        if not self.pv:
            return
        end = self.at + self.width + 4 + self.u32(self.width)
        self.keep(self.width + 4)
        while self.at < end:
            kind, length = self.data[self.at:self.at + 4], self.u32(4)
            if kind == b"vcpu":
                self.guest = 8 if length == 0x1430 else 4
            if kind == b"extv":
                self.ext = 128
            if kind == b"xcnt":
                self.xsave = self.u32(8)
            self.keep(8 + length)
        self.keep(self.width * -(-size * self.guest // 4096))

    def batch(self, count, pages, wanted):
        """Takes a batch; returns the numbers, within the round, of its pages that are kept."""
        self.take(4)
        raw = [self.take(self.width) for _ in range(count)]
        kinds = [struct.unpack_from("<I", e)[0] >> 28 for e in raw]
        keep, body, stay = [], b"", []
        for entry, kind in zip(raw, kinds):
            page = b""
            if kind not in NO_PAGE and pages:
                page = self.take(4096)
            if len(keep) < 3 and (kind in NO_PAGE or len(stay) < 2) and wanted:
                keep.append(entry)
                body += page
                if kind not in NO_PAGE:
                    stay.append(self.number)
            if kind not in NO_PAGE:
                self.number += 1
        if keep:
            self.out += struct.pack("<i", len(keep)) + b"".join(keep) + body
        return stay

    def delta(self, stay, first):
        """Takes compressed data; keeps that of the pages that are kept."""
        self.take(4)
        size = self.long()
        self.take(self.width)
        data, at, number, kept = self.take(size), 0, first, b""
        while at < size:
            begin, done = at, 0
            if data[at] == 0x80:
                at += 4097
            elif data[at] == 0:
                at += 1
            else:
                while done < 4096:
                    run = (data[at] & 0x7f) * 4
                    at += 1 if data[at] & 0x80 else 1 + run
                    done += run
            if number in stay:
                kept += data[begin:at]
            number += 1
        self.out += struct.pack("<i", -12) + struct.pack("<I" if self.width == 4 else "<Q", len(kept)) + kept
        return number

    def body(self, first_round):
        run, stay, unpacked = 0, [], 0
        self.number = 0
        while True:
            kind = struct.unpack_from("<i", self.data, self.at)[0]
            run = run + 1 if kind > 0 else 0
            if kind > 0:
                stay += self.batch(kind, first_round or not self.compressed, run <= 2)
            elif kind == -12:
                unpacked = self.delta(stay, unpacked)
            elif kind == -2:
                words = self.u32(4) // 64 + 1
                self.vcpus = bin(int.from_bytes(self.data[self.at + 8:self.at + 8 + 8 * words], "little")).count("1")
                self.keep(8 + 8 * words)
            elif kind == -18:
                self.keep(8 + self.u32(4))
            else:
                self.compressed |= kind == -13
                self.last |= kind == -9
                self.keep(4 if kind in BODILESS else 24 if kind == -7 else 16)
            if kind == 0:
                return

    def tail(self):
        if self.pv:
            self.keep(4 + self.width * self.u32())
            context = 0x1430 if self.guest == 8 else 0xaf0
            self.keep(self.vcpus * (context + self.ext + self.xsave) + 4096)
            return
        self.keep(24)
        self.keep(4 + self.u32())
        if self.data[self.at:self.at + 4] == b"Qemu":
            self.last = True
            self.out += self.take(21 + 264)
            return
        self.keep(21)
        length = self.u32()
        self.take(4)
        model = self.take(length)[:264]
        self.out += struct.pack("<I", len(model)) + model

    def thin(self):
        self.header()
        first = True
        while self.at < len(self.data) and not self.last:
            self.body(first)
            self.tail()
            first = False
        return self.out


def looks_legacy(data, at):
    size = data[at:at + 4]
    return len(data) - at > 16 and 0 < int.from_bytes(size, "little") < 1 << 28


def thin_legacy(data, at):
    return Legacy(data, at).thin()
