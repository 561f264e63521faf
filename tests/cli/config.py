#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes the config of an xl save file, and keeps the rest: config.py EDIT... <image >image.

set PATH VALUE  a member of the JSON, by the keys on the way to it (a.b); VALUE is JSON
drop PATH       without that member
text TEXT       this instead of the config
more TEXT       this after the JSON object
random SEED     one change drawn from those that configs in the wild may have
model           an EMULATOR_CONTEXT before the stream's END"""
import json
import random
import struct
import sys

data = sys.stdin.buffer.read()
optional, = struct.unpack_from("<I", data, 44)
length, = struct.unpack_from("<I", data, 48)
text, rest = data[52:52 + length].rstrip(b"\0").decode(), data[48 + optional:]
config = json.loads(text)
edits = sys.argv[1:]


def place(path):
    """The object that has the member, and its key. Keys may have dots (type.pv)."""
    section, _, key = path.partition(".")
    return (config[section], key) if key else (config, section)


def change(path, value):
    where, key = place(path)
    where[key] = value


def draw(seed):
    """A value that is right, wrong, or of another type, in a field that counts."""
    r = random.Random(seed)
    fields = ["b_info.max_memkb", "b_info.target_memkb", "b_info.max_vcpus", "c_info.type", "c_info.uuid", "c_info.name",
              "b_info.kernel", "c_info", "b_info", "b_info.type.pv", "b_info.type.pvh", "b_info.device_model_version"]
    values = [0, 1, 3, 4, -1, 1024, 4096, 8192, 2 ** 31, 2 ** 44, 2 ** 44 + 1, 2 ** 63 - 1, "4096", "", "pv", "pvh", "hvm",
              "PVH", None, True, 1.5, [], {}, [1], {"a": 1}, "qemu_xen_traditional", "True",
              "26048224-a4e3-46de-877b-620f1f54cb13", "26048224"]
    path = r.choice(fields)
    if r.random() < 0.15:
        where, key = place(path)
        where.pop(key, None)
    else:
        change(path, r.choice(values))
    out = json.dumps(config, indent=r.choice([None, 4]))
    if r.random() < 0.1:
        at = r.randrange(len(out))
        out = out[:at] + r.choice('{}[]",:x \\1') + out[at + 1:]
    return out + (r.choice([" ", "x", "{}"]) if r.random() < 0.1 else "")


written = None
after = ""
while edits:
    edit = edits.pop(0)
    if edit == "set":
        path = edits.pop(0)
        change(path, json.loads(edits.pop(0)))
    elif edit == "drop":
        where, key = place(edits.pop(0))
        del where[key]
    elif edit == "text":
        written = edits.pop(0)
    elif edit == "more":
        after = edits.pop(0)
    elif edit == "random":
        written = draw(edits.pop(0))
    elif edit == "model":
        body = struct.pack("<II", 2, 0) + b"QEVM\0\0\0\3\0"
        body += b"\0" * (-len(body) % 8)
        rest = rest[:-8] + struct.pack("<II", 3, len(body)) + body + rest[-8:]
    else:
        sys.exit(f"config.py: no edit {edit}")
new = ((json.dumps(config, indent=4) if written is None else written) + after).encode() + b"\0"
sys.stdout.buffer.write(data[:44] + struct.pack("<II", len(new) + 4, len(new)) + new + rest)
