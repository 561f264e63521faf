#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# memory.py JSON IMAGE: compares the output of "godwit inspect --json --memory --pages --page-tables" with
# the image, which is read here once more with plain struct, and prints the first member that differs.
# IMAGE is a plain or an xz file of any layer; in one with checkpoints the rounds up to the last one count.
import json
import lzma
import struct
import sys
from collections import Counter, defaultdict

MARK = b"\xff" * 8 + b"XENF"
NAMES = {0: "normal", 1: "L1", 2: "L2", 3: "L3", 4: "L4", 9: "pinned L1", 10: "pinned L2",
         11: "pinned L3", 12: "pinned L4", 13: "BROKEN", 14: "XALLOC", 15: "XTAB"}
MASK = (1 << 52) - 1


def has_data(kind):
    return kind <= 4 or 9 <= kind <= 12


def level(kind):
    return kind & 7 if has_data(kind) else 0


def populated(kind):
    return has_data(kind) or kind == 14


class Guest:
    def __init__(self):
        self.types, self.times, self.pages, self.contexts = {}, Counter(), {}, {}
        self.entries = self.resent = self.end = self.width = 0


def take(guest, kind, body, verifying):
    """One record."""
    if kind == 2:
        guest.width = body[0]
    elif kind == 3:
        guest.end = max(guest.end, struct.unpack_from("<I", body, 4)[0] + 1)
    elif kind == 4:
        guest.contexts[struct.unpack_from("<I", body)[0]] = body[8:]
    elif kind == 1:
        count = struct.unpack_from("<I", body)[0]
        at = 8 + 8 * count
        for entry in struct.unpack_from(f"<{count}Q", body, 8):
            pfn, page_type = entry & MASK, entry >> 60
            guest.entries += 1
            guest.types[pfn] = page_type
            if has_data(page_type):
                guest.resent += guest.times[pfn] > 0
                guest.times[pfn] += 1
                if not verifying:
                    guest.pages[pfn] = body[at:at + 4096]
                at += 4096
            elif not populated(page_type):
                guest.pages.pop(pfn, None)


def read(data):
    """The part of the image that counts, and the number of entries that do not."""
    at, guest, aside, left_out = data.index(MARK) + 40, Guest(), [], 0
    libxl = b"LibxlFmt" in data[:at]
    in_libxl = checkpoints = verifying = False
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8:at + 8 + length]
        at += 8 + (length + 7 & ~7)
        if in_libxl:
            if kind != 4:
                continue
            in_libxl = False
        elif kind == 14 and libxl:
            in_libxl = True
            continue
        elif kind == 0:
            break
        elif kind != 14:
            verifying |= kind == 13
            if checkpoints:
                aside.append((kind, body))
            else:
                take(guest, kind, body, verifying)
            continue
        checkpoints = True
        for record in aside:
            take(guest, *record, False)
        aside = []
    for kind, body in aside:
        left_out += struct.unpack_from("<I", body)[0] if kind == 1 else 0
    return guest, left_out


def spans(values):
    """[first, last, value] for each run of equal values."""
    out = []
    for pfn in sorted(values):
        if out and out[-1][1] + 1 == pfn and out[-1][2] == values[pfn]:
            out[-1][1] = pfn
        else:
            out.append([pfn, pfn, values[pfn]])
    return out


def contents(pages):
    zero = sum(p == bytes(4096) for p in pages.values())
    one_word = sum(p == p[:8] * 512 for p in pages.values()) - zero
    others = Counter(p for p in pages.values() if p != p[:8] * 512)
    return {"pages": len(pages), "zero": zero, "one_word": one_word,
            "equal": sum(n for n in others.values() if n > 1),
            "equal_kinds": sum(n > 1 for n in others.values()), "complete": True}


class Trees:
    def __init__(self, guest):
        self.g = guest
        self.top = 4 if guest.width == 8 else 3
        self.tables = {pfn: level(t) for pfn, t in guest.types.items()
                       if 0 < level(t) <= self.top and pfn in guest.pages}
        self.faults, self.present, self.good = [], Counter(), defaultdict(list)
        self.xen = Counter()
        for pfn in sorted(self.tables):
            for slot, pte in enumerate(struct.unpack("<512Q", guest.pages[pfn])):
                self.look(pfn, self.tables[pfn], slot, pte)

    def is_xens(self, lvl, slot, pte):
        if self.top == 4:
            return lvl == 4 and 256 <= slot <= 271
        return lvl == 3 and slot > 3 or lvl == 2 and slot >= 428 and pte & 0x80

    def look(self, pfn, lvl, slot, pte):
        target = (pte & MASK) >> 12
        kind = self.g.types.get(target, -1)
        if self.is_xens(lvl, slot, pte):
            self.xen[pfn] += 1
            return
        if not pte & 1:
            return
        self.present[pfn] += 1
        if lvl > 1 and pte & 0x80:
            fault = "superpage"
        elif target >= self.g.end:
            fault = "above"
        elif kind < 0 or not populated(kind):
            fault = "absent"
        elif lvl > 1 and level(kind) != lvl - 1:
            fault = "type"
        else:
            self.good[pfn].append(target)
            return
        self.faults.append([fault, pfn, lvl, slot, hex(pte), target,
                            NAMES[kind] if kind >= 0 else "nothing"])

    def reach(self, pfn, seen):
        seen.add(pfn)
        if self.tables[pfn] > 1:
            for target in self.good[pfn]:
                if target not in seen and target in self.tables:
                    self.reach(target, seen)
        return seen

    def roots(self):
        uses = defaultdict(list)
        for vcpu, c in sorted(self.g.contexts.items()):
            if self.g.width == 8:
                uses[struct.unpack_from("<Q", c, 5008)[0] >> 12].append([vcpu, "kernel"])
                user = struct.unpack_from("<Q", c, 4992)[0]
                if user & 1:
                    uses[user >> 12].append([vcpu, "user"])
            else:
                cr3 = struct.unpack_from("<I", c, 2728)[0]
                uses[cr3 >> 12 | (cr3 & 0xfff) << 20].append([vcpu, "kernel"])
        for pfn, kind in self.g.types.items():
            if kind == 8 + self.top:
                uses.setdefault(pfn, [])
        return uses

    def result(self):
        uses = self.roots()
        sets = {r: self.reach(r, set()) for r in uses if self.tables.get(r) == self.top}
        times = Counter(t for s in sets.values() for t in s)
        roots = []
        for pfn in sorted(uses):
            kind = self.g.types.get(pfn, -1)
            root = {"pfn": pfn, "type": NAMES[kind] if kind >= 0 else "nothing",
                    "pinned": kind == 8 + self.top,
                    "vcpus": [{"id": i, "mode": m} for i, m in uses[pfn]], "followed": pfn in sets}
            if pfn in sets:
                s = sets[pfn]
                root.update({
                    "tables": {f"L{n}": sum(self.tables[t] == n for t in s)
                               for n in range(1, self.top + 1)},
                    "shared": sum(times[t] > 1 for t in s),
                    "present": sum(self.present[t] for t in s),
                    "mapped": sum(len(self.good[t]) for t in s if self.tables[t] == 1),
                    "xen_slots": sum(self.xen[t] for t in s)})
            roots.append(root)
        unreached = [[t, NAMES[self.g.types[t]]] for t in sorted(self.tables) if not times[t]]
        return roots, unreached, sum(n > 1 for n in times.values())


def check(what, said, made):
    if said != made:
        sys.exit(f"{what}: godwit says {said}\nthe image has {made}")


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        said = json.load(f)
    with open(sys.argv[2], "rb") as f:
        data = f.read()
    if data.startswith(b"\xfd7zXZ"):
        data = lzma.decompress(data)
    guest, left_out = read(data)
    m = said["memory"]
    highest = max(guest.types)
    holes = {pfn: 0 for pfn in range(highest + 1) if not populated(guest.types.get(pfn, 15))}
    check("entries", m["entries"], guest.entries)
    check("resent", m["resent"], guest.resent)
    check("unfinished", m["unfinished"], left_out)
    check("times", m["times"], [list(x) for x in sorted(Counter(guest.times.values()).items())])
    check("runs", said["memory_runs"], spans({p: NAMES[t] for p, t in guest.types.items()}))
    check("holes", m["holes"], len(holes))
    check("hole runs", said["memory_holes"], [s[:2] for s in spans(holes)])
    check("resent runs", said["memory_resent"],
          spans({p: n for p, n in guest.times.items() if n > 1}))
    check("pinned", said["pinned_tables"],
          spans({p: NAMES[t] for p, t in guest.types.items() if t & 8 and level(t)}))
    check("contents", said["contents"], contents(guest.pages))
    if not guest.width:
        check("page tables", said["page_tables"], None)
        return
    trees = Trees(guest)
    roots, unreached, shared = trees.result()
    check("roots", said["page_table_roots"], roots)
    check("faults", [[f["fault"], f["table"], f["level"], f["slot"], f["entry"], f["target"],
                      f["target_type"]] for f in said["page_table_faults"]], trees.faults)
    check("unreached", said["page_tables_unreached"], unreached)
    p = said["page_tables"]
    check("shared", p["shared"], shared)
    check("unreached count", p["unreached"], len(unreached))
    check("tables", p["tables"],
          {f"L{n}": sum(level(t) == n for t in guest.types.values())
           for n in range(1, trees.top + 1)})
    kinds = Counter(f[0] for f in trees.faults)
    check("fault counts", p["faults"],
          {k: kinds[k] for k in ("above", "absent", "superpage", "type")})
    check("all followed", p["all_followed"], True)


main()
