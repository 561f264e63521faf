#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# protect_tables.py VCPUS GODWIT IMAGE.xz...: makes recorded PV images such that Xen takes their page tables. The recorded
# domains were made up, and their L1 tables map page tables and GDT pages writable. Here those entries become
# read-only, in the last copy of each table and all copies equal to it. The second L3 of a 32-bit guest shares its last
# L2 with the first; it becomes an ordinary page. The manifests beside the image follow. An image that is right already
# does not change.
import glob
import hashlib
import os
import re
import struct
import subprocess
import sys
import tempfile

import samples

PRESENT_RW = 3
PAGE = 4096


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


class Image:
    def __init__(self, godwit, path, folder):
        self.godwit, self.path, self.plain = godwit, path, os.path.join(folder, "plain")
        self.data = samples.read(path)
        self.ordinary = set()
        self.changed = {}  # sha256[:16] of a table before: after
        self.write()

    def write(self):
        with open(self.plain, "wb") as f:
            f.write(self.data)

    def verify(self):
        return run(self.godwit, "verify", "--deep", self.plain).decode()

    def gdt_pages(self):
        found = set()
        for vcpu in range(int(sys.argv[1])):
            text = run(self.godwit, "inspect", "--json", "--vcpu", str(vcpu), self.plain).decode()
            frames = re.findall(r'"gdt_frames\[0\]":"0x([0-9a-f]+)"', text)
            found.update(int(f, 16) for f in frames)
        return found

    def make_ordinary(self, pfn):
        """A pinned L3 becomes a page of data: its entries of PAGE_DATA, or of a legacy image's batches."""
        for old, new in ((struct.pack("<Q", 0xB << 60 | pfn), struct.pack("<Q", pfn)),
                         (struct.pack("<I", 0xB << 28 | pfn), struct.pack("<I", pfn))):
            if self.data.count(old):
                self.data = self.data.replace(old, new)
                self.ordinary.add("%x" % pfn)
        self.write()

    def manifest_paths(self):
        base = re.sub(r"(\.fwd)?\.xz$", "", self.path)
        return sorted(glob.glob(base + ".manifest.xz") + glob.glob(base + ".cp*.manifest.xz"))

    def tables(self):
        """The type of each page table, by its pfn."""
        found = {}
        for line in samples.read(self.manifest_paths()[-1]).decode().splitlines():
            if not line.startswith("#"):
                pfn, kind, _ = line.split()
                if int(kind, 16):
                    found[int(pfn, 16)] = int(kind, 16) >> 28 & 7
        return found

    def pages(self):
        raw = self.plain + ".raw"
        run(self.godwit, "export", "--raw", self.plain, raw)
        with open(raw, "rb") as f:
            return f.read()

    def protect(self, pfn, before, frames):
        words = struct.unpack("<512Q", before)
        after = struct.pack("<512Q", *(w & ~2 if w & 3 == PRESENT_RW and w >> 12 & (1 << 40) - 1 in frames else w
                                       for w in words))
        if after == before:
            return
        if self.data.count(before) == 0:
            sys.exit("%s: the table at pfn 0x%x is not in the file as it is" % (self.path, pfn))
        self.data = self.data.replace(before, after)
        old, new = (hashlib.sha256(p).hexdigest()[:16] for p in (before, after))
        for key, value in self.changed.items():
            if value == old:
                self.changed[key] = new
        self.changed[old] = new

    def protect_all(self, tables, frames):
        pages = self.pages()
        for pfn, level in tables.items():
            if level == 1:
                self.protect(pfn, pages[pfn * PAGE:][:PAGE], frames)
        self.write()

    def manifests(self):
        for path in self.manifest_paths():
            text = samples.read(path).decode()
            fresh = re.sub(r"[0-9a-f]{16}$", lambda m: self.changed.get(m[0], m[0]), text, flags=re.M)
            for pfn in self.ordinary:
                fresh = re.sub(r"^%s b0000000" % pfn, pfn + " 00000000", fresh, flags=re.M)
            if fresh != text:
                samples.write(path, fresh.encode(), preset=9)


def main():
    for path in sys.argv[3:]:
        with tempfile.TemporaryDirectory() as folder:
            image = Image(sys.argv[2], path, folder)
            tables = image.tables()
            frames = {pfn for pfn, level in tables.items() if level} | image.gdt_pages()
            image.protect_all(tables, frames)
            for pfn in re.findall(r"pfn 0x([0-9a-f]+) \(L3\), entry .* with Xen's entries", image.verify()):
                image.make_ordinary(int(pfn, 16))
            if "error:" in image.verify():
                sys.exit(path + ": " + image.verify())
            if image.changed or image.ordinary:
                samples.write(path, image.data)
                image.manifests()
            print(path, len(image.changed), "tables changed")


main()
