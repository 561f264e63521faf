# SPDX-License-Identifier: LGPL-2.1-or-later
"""What verify says of a changed stream, and what QEMU itself makes of it: an error is what QEMU refuses to load, nothing else is.
Skipped without qemu-system-x86_64 of version 7.2 or later."""

import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

DATA = os.environ["GODWIT_TEST_DATA"] + "/qemu"
sys.path.insert(0, DATA)
import make  # noqa: E402

GODWIT = os.environ["GODWIT"]
QEMU = shutil.which("qemu-system-x86_64")
with lzma.open(DATA + "/plain.xz") as f:
    PLAIN = f.read()


def put(at, new):
    return PLAIN[:at] + new + PLAIN[at + len(new):]


def insert(at, new):
    return PLAIN[:at] + new + PLAIN[at:]


def streams():
    """Each with the rule that it breaks, and whether QEMU takes it all the same."""
    timer = PLAIN.index(b"\4\0\0\0\0\5timer")
    footer = timer + 11 + 8 + 24
    ram = PLAIN.index(b"\1\0\0\0\2\3ram")
    words = PLAIN.index(b"\2\0\0\0\2", ram) + 5
    bios = PLAIN.index(b"\7pc.bios", words)
    json = PLAIN.index(b'{"page_size"')
    zero = next(i for i in range(words, words + 400) if PLAIN[i:i + 8] == struct.pack(">Q", 2))
    flags = struct.unpack(">Q", PLAIN[bios - 8:bios])[0] & 0xfff
    return [
        ("as it is", PLAIN, None, True),
        ("version 2", put(4, struct.pack(">I", 2)), "savevm-version", False),
        ("another section's footer", put(footer + 1, struct.pack(">I", 77)), "savevm-footer", False),
        ("no EOF", PLAIN[:json - 6], "savevm-truncated", False),
        ("a cut description", PLAIN[:-1000], "savevm-description", True),
        ("a description with another size", PLAIN[:json] + PLAIN[json:].replace(b'"size": 8', b'"size": 9', 1),
         "savevm-description-size", True),
        ("bytes after it", PLAIN + b"abc", "trailing-bytes", True),
        ("memory of version 3", put(ram + 13, struct.pack(">I", 3)), "savevm-ram-version", False),
        ("an unknown block", put(bios, b"\7pc.bioz"), "savevm-ram-block", False),
        ("a word with two kinds", put(words, struct.pack(">Q", 0x100a)), "savevm-ram-word", False),
        ("a page beyond its block", put(bios - 8, struct.pack(">Q", 0x100000 | flags)), "savevm-ram-offset", False),
        ("a page of other bytes than 0", put(zero + 15, b"\xcc"), "savevm-ram-fill", None),
        ("an unknown command", insert(ram, b"\x08" + struct.pack(">HH", 77, 0)), "savevm-command", False),
        ("a command of a wrong length", insert(ram, b"\x08" + struct.pack(">HH", 2, 5) + b"abcde"), "savevm-command", False),
        ("a section twice", insert(timer, PLAIN[timer:footer + 5]), "savevm-section-twice", True),
        ("a byte that begins no section", put(timer, b"\x33"), "savevm-section-type", False),
    ]


def qemu_takes(path, folder):
    """Starts a QEMU that loads the stream, and waits for what becomes of it."""
    m = make.Machine(folder, "-incoming", "defer", quiet=True)
    try:
        m.ask("migrate-incoming", uri=f"exec:cat {path}")
        while True:
            status = m.ask("query-migrate").get("status")
            if status in ("completed", "failed"):
                return status == "completed"
            time.sleep(0.02)
    except (OSError, ValueError):
        # It ends when it refuses a stream.
        return m.process.wait() == 0
    finally:
        m.process.kill()
        m.process.wait()


def main():
    version = subprocess.run([QEMU, "--version"], stdout=subprocess.PIPE, check=True).stdout if QEMU else b""
    found = re.search(rb"version (\d+)\.(\d+)", version)
    if not found or (int(found[1]), int(found[2])) < (7, 2):
        print("SKIP: no qemu-system-x86_64 of version 7.2 or later")
        return 77
    failed = 0
    for name, stream, rule, accepted in streams():
        with tempfile.TemporaryDirectory() as folder:
            with open(folder + "/input", "wb") as f:
                f.write(stream)
            verify = subprocess.run([GODWIT, "verify", folder + "/input"], stdout=subprocess.PIPE)
            text = verify.stdout.decode()
            by_qemu = qemu_takes(folder + "/input", folder)
        good = verify.returncode == 0
        # Some rules are those of later releases: None.
        if (rule and f"[{rule}]" not in text) or (accepted is not None and (good != accepted or by_qemu != accepted)):
            failed += 1
            print(f"{name}: verify {'takes' if good else 'refuses'} it, QEMU {'takes' if by_qemu else 'refuses'} it; "
                  f"expected {rule}\n{text}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
