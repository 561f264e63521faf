#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Source files that comments name: check_references.py [--root DIR] [--foreign FILE]

A comment that names a source file (NAME.c, NAME.h, with or without folders) must name one that exists: the name is
the end of a path of this tree. Files of other projects (Xen, Linux, QEMU) are listed in tools/references.foreign, one
a line with the project; a listed name that no comment uses is an error. Also refused is a section that has only a
number ("section 1.4"): the number alone does not name the document. Exit status: 0 nothing found, 1 a name or a section
without its file or document, 2 usage."""
import argparse
import pathlib
import re
import sys

COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|(/\*.*?\*/|//[^\n]*)', re.S)
FILE = re.compile(r"(?<![\w./-])((?:[\w-]+/)*[\w*-]+\.[ch])\b")
SECTION = re.compile(r"\bsection [0-9]", re.I)


def comments(text):
    """Each comment with its offset; what looks like one inside a string is none."""
    for match in COMMENT.finditer(text):
        if match[1]:
            yield match.start(1), match[1]


def read_foreign(path):
    names = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        name, _, project = (part.strip() for part in line.partition("#"))
        if not name:
            continue
        if not project:
            sys.exit(f"check_references: '{line}' is not NAME # PROJECT")
        names[name] = project
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--foreign", type=pathlib.Path, default=pathlib.Path(__file__).parent / "references.foreign")
    args = parser.parse_args()
    foreign, used, status = read_foreign(args.foreign), set(), 0
    files = [path for folder in ("src", "include", "tests", "fuzz", "bench", "guests")
             for path in sorted((args.root / folder).rglob("*.[ch]"))]
    known = ["/" + str(path.relative_to(args.root)) for path in files]
    for path in files:
        text = path.read_text(encoding="utf-8")
        for start, comment in comments(text):
            found = [(match.start(), match[1], "no file of this name") for match in FILE.finditer(comment)]
            found += [(match.start(), match[0] + "...", "of which document?") for match in SECTION.finditer(comment)]
            for offset, name, complaint in found:
                if name in foreign:
                    used.add(name)
                elif not any(file.endswith("/" + name) for file in known):
                    status = 1
                    line = text.count("\n", 0, start + offset) + 1
                    print(f"{path.relative_to(args.root)}:{line}: {name}: {complaint}")
    for name in sorted(set(foreign) - used):
        status = 1
        print(f"{args.foreign.name}: no comment names {name}")
    sys.exit(status)


if __name__ == "__main__":
    main()
