#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rooms that each room may include: check_arrows.py [--root DIR] [--allowed FILE]

A room is a folder of src/. ROOMS lists for each the rooms just below it; a room may include those and all that lie
below them. A public header (include/godwit) belongs to a room too: PUBLIC says to which. NARROW holds the arrows that
lead only to a part of a room.

The allowed list (tools/arrows.allowed) holds the exceptions of today, one a line, with the reason:

    FILE HEADER  # REASON

Both are patterns. An exception that no file needs is an error. Exit status: 0 nothing found, 1 a wrong arrow or an
exception without use, 2 usage."""
import argparse
import fnmatch
import pathlib
import re
import sys

# From the bottom to the top: a room and the rooms right below it.
ROOMS = {
    "base": [],
    "format": ["base"],
    "channel": ["base"],
    "read": ["channel", "format"],
    "hypervisor": ["channel", "format"],
    "guest": ["hypervisor"],
    "migrate": ["read", "guest"],
    "examine": ["read"],
    "convert": ["read"],
    "vmm": ["migrate", "examine", "convert"],
    "helper": ["migrate", "examine", "convert"],
    "xl": ["helper"],
    "cli": ["vmm", "xl"],
}
# The room of each public header.
PUBLIC = {
    "cancel.h": "base",
    "channel.h": "channel",
    "control.h": "hypervisor",
    "error.h": "base",
    "guest.h": "format",
    "hypervisor.h": "hypervisor",
    "log.h": "base",
    "policy.h": "format",
    "progress.h": "base",
    "toolstack.h": "migrate",
}
# Room, pattern of what it may not include although the room is below it, what it may have instead.
NARROW = [
    ("hypervisor", "format/*", ["format/x86/*"], "of format a backend uses only the x86 codecs"),
    ("guest", "*control.h", [], "only the owner of a domain controls it"),
    ("migrate", "*control.h", [], "only the owner of a domain controls it"),
    ("*", "hypervisor/emu/*", [], "only the backend itself and tests name a backend"),
    ("*", "hypervisor/machine/*", [], "only a backend and tests name what backends share"),
    ("*", "hypervisor/memory/*", [], "only the backend itself and tests name a backend"),
    ("*", "hypervisor/kvm/*", [], "only the backend itself and tests name a backend"),
    ("*", "hypervisor/xen/*", [], "only the backend itself and tests name a backend"),
]
# What lies beside src: the library knows nothing of it, although the compiler would find it from the root.
BESIDE = {"tests", "fuzz", "bench", "guests"}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+/[^"]+)"|<godwit/([^>]+)>)')


def below(room):
    """The room itself and every room that it may include."""
    found = {room}
    for lower in ROOMS[room]:
        found |= below(lower)
    return found


def wrong(room, header, public):
    """Why this room may not include this header; None if it may."""
    target = PUBLIC.get(header) if public else header.split("/")[0]
    if public and not target:
        return "PUBLIC in check_arrows.py does not say to which room this header belongs"
    if BESIDE & set(header.split("/")):
        return "src includes nothing from beside it"
    if target not in ROOMS:
        return None  # a folder of the room's own
    if target not in below(room):
        return f"{room} may not include {target}"
    for user, pattern, but, reason in NARROW:
        own = pattern.startswith(room + "/")
        if fnmatch.fnmatchcase(room, user) and fnmatch.fnmatchcase(header, pattern) and not own and not any(
                fnmatch.fnmatchcase(header, exception) for exception in but):
            return reason
    return None


def includes(root):
    """Each include in src/ and include/: path, line, room (None: a public header), header, is it a public one."""
    for folder in ("src", "include"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            name = str(path.relative_to(root))
            room = name.split("/")[1] if folder == "src" else None
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                match = INCLUDE.match(line)
                if match:
                    yield name, number, room, match[1] or match[2], bool(match[2])


def read_exceptions(path):
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    exceptions = []
    for line in lines:
        rule, _, reason = line.partition("#")
        if not line.strip() or line.startswith("#"):
            continue
        if len(rule.split()) != 2 or not reason.strip():
            sys.exit(f"check_arrows: '{line}' is not FILE HEADER # REASON")
        exceptions.append(tuple(rule.split()))
    return exceptions


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--allowed", type=pathlib.Path, default=pathlib.Path(__file__).parent / "arrows.allowed")
    args = parser.parse_args()
    exceptions, used, status = read_exceptions(args.allowed), set(), 0
    for file, number, room, header, public in includes(args.root):
        if room is None:
            reason = None if public else "a public header includes only public headers"
        elif room not in ROOMS:
            reason = f"ROOMS in check_arrows.py does not know the room {room}"
        else:
            reason = wrong(room, header, public)
        if not reason:
            continue
        shown = f"godwit/{header}" if public else header
        matches = [rule for rule in exceptions
                   if fnmatch.fnmatchcase(file, rule[0]) and fnmatch.fnmatchcase(shown, rule[1])]
        used.update(matches)
        if not matches:
            status = 1
            print(f"{file}:{number}: {shown}: {reason}")
    for rule in exceptions:
        if rule not in used:
            status = 1
            print(f"{args.allowed.name}: no file needs the exception {rule[0]} {rule[1]}")
    sys.exit(status)


if __name__ == "__main__":
    main()
