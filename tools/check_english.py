#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds phrases that make a sentence hard to read, in documents, comments and strings.

Each phrase below has a plain replacement. The check reads the files under CLEAN; a path joins that list when its
text is rewritten. An exception names a file, a piece of the line and the reason; one that matches nothing fails.

  check_english.py             checks the clean files
  check_english.py PATH...     checks these files or folders
  check_english.py --self-test plants each phrase and fails if one is not found
"""
import re
import subprocess
import sys

# phrase, what to write instead, an example for the self-test
PHRASES = [
    (r"behind (the|it|them|a|an|that|which|those|each|its|END|CHECKPOINT\w*)\b", "after", "bytes behind the header"),
    (r"\bfor who(ever)?\b", "the reader by name", "It is for whoever reads it"),
    (r"\bwhoever\b", "the caller, the reader, the owner", "Whoever finds a lock"),
    (r"\b(is|are|was|were|be) told\b", "report, notify", "The guest is told"),
    (r"\btell(s|ing)? (what|which|who|of|where|that)\b", "report, print", "It tells what differs"),
    (r"\bpass(es|ed|ing)? over\b", "skip", "records are passed over"),
    (r"\bwho (wants|holds|reads|asks|looks|only|passes|waits)\b", "the caller, the reader", "who reads an image"),
    (r"\b(?<!there.)is (?-i:none)\b", "is not one", "a peer that is none"),
    (r"\bas it is there\b", "unchanged", "printed as it is there"),
    (r"\bwhich is what\b", "split the sentence", "which is what Xen does"),
    (r"\bnone of ours\b", "not created here", "a socket that is none of ours"),
    (r"\btak(e|es|en|ing) in\b", "accept", "images are taken in"),
    (r"\bstands (behind|before|where|there)\b", "is, comes", "it stands before a record"),
    (r"\bin (the )?place of the\b", "instead of", "in the place of the script"),
    (r"\bfound out\b", "detected", "the width is found out"),
    (r"\bin passing\b", "on the fly", "converted in passing"),
]

# Files and folders whose text is plain. It grows until it is everything.
CLEAN = [
    "README.md",
    "bench",
    "docs",
    "fuzz",
    "guests",
    "include",
    "man",
    "src",
    "tests",
]

# file, part of the line, reason
EXCEPTIONS = [
    ("bench/convert.py", "for who", "a variable of the script"),
]

SOURCES = (".c", ".h", ".md", ".5", ".sh", ".py")


def files(paths):
    listed = subprocess.run(["git", "ls-files", "--", *paths], check=True, capture_output=True, text=True).stdout.split()
    return [f for f in listed if f.endswith(SOURCES)]


def text_of(path):
    """The file's text with only comments and strings left if it is C, so that no identifier is taken for a word."""
    with open(path, encoding="utf-8", errors="replace") as f:
        text = f.read()
    if not path.endswith((".c", ".h")):
        return text
    kept, end = [], 0
    for m in re.finditer(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', text, re.S):
        kept.append("\n" * text.count("\n", end, m.start()))
        kept.append(m.group(0))
        end = m.end()
    return "".join(kept)


def find(text):
    """(line, phrase, replacement) of each phrase, one that continues on the next line included."""
    # A comment's line start counts as a blank; a line stays a line of the same length.
    flat = re.sub(r"\n[ \t]*\*(?!/)", lambda m: "\n" + " " * (len(m.group(0)) - 1), text)
    for pattern, instead, _ in PHRASES:
        for m in re.finditer(pattern.replace(" ", r"\s+"), flat, re.I):
            yield text.count("\n", 0, m.start()) + 1, re.sub(r"\s+", " ", m.group(0)), instead


def check(paths):
    bad, used = 0, set()
    for path in files(paths):
        text = text_of(path)
        lines = text.split("\n")
        for line, phrase, instead in sorted(find(text)):
            context = " ".join(lines[line - 1:line + 1])
            matching = [e for e in EXCEPTIONS if e[0] == path and e[1] in context]
            if matching:
                used.add(matching[0])
                continue
            print("lint: %s:%d: \"%s\"; plain: %s" % (path, line, phrase, instead))
            bad += 1
    return bad, used


def self_test():
    missed = 0
    for pattern, _, example in PHRASES:
        for text in ("/* %s. */" % example, example.replace(" ", "\n * ")):
            if not any(re.fullmatch(pattern, phrase, re.I) for _, phrase, _ in find(text)):
                print("lint: check_english does not find its own example \"%s\"" % example)
                missed += 1
    return missed


def main(args):
    if args == ["--self-test"]:
        return self_test() != 0
    bad, used = check(args or CLEAN)
    if not args:
        for e in EXCEPTIONS:
            if e not in used:
                print("lint: check_english: unused exception %s: %s" % e[:2])
                bad += 1
        bad += self_test()
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
