#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Peers and images with text that would command a terminal, and the check that no output has such text.

check FILE...           fails if a file has a hidden character (base/visible.h) except line ends, or is no UTF-8
json FILE               the same, and that it is JSON which has the text
section <image >image   a description after QEMU's state, with the text as the name of a device
receive FRAME           listens (prints the port), answers a HELLO with one, then sends the frame: refuse or error
text                    the text as a JSON string
send ADDRESS FRAME N    N connections, each with a HELLO, then the frame: config, error or junk"""
import json
import re
import socket
import struct
import sys

TEXT = "evil\x1b[2J\x07\x7f\u009b\u202e\u2066\u200f\u2028\u061c\ufeff"
LINES = TEXT + "\ngodwit: forged\r\n2026-12-01T00:00:00Z receiver forged: x"
HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
FRAMES = {"hello": 1, "config": 2, "static end": 4, "refuse": 6, "error": 14}


def frame(kind, body):
    return struct.pack("<IIQ", FRAMES[kind], 0, len(body)) + body


def hello(migration=b"h" * 16):
    return frame("hello", b"GODWIT01" + struct.pack("<IIQQ", 1, 1, 1, 0) + migration)


def body(kind):
    if kind == "config":
        config = {"c_info": {"type": "pvh", "name": LINES}, "b_info": {"max_memkb": 4096, "target_memkb": 4096}}
        return struct.pack("<II", 0, 0) + json.dumps(config).encode()
    # Bytes that are no UTF-8, too.
    return LINES.encode() + b"\x9b\xff"


def check(text, name):
    try:
        found = HIDDEN.search(text.decode())
    except UnicodeDecodeError as e:
        sys.exit(f"{name}: {e}")
    if found:
        sys.exit(f"{name}: {found.group()!r} at {found.start()}: {text[:found.start() + 20]!r}")


def has(value, wanted):
    if isinstance(value, dict):
        return any(has(v, wanted) for v in value.values())
    if isinstance(value, list):
        return any(has(v, wanted) for v in value)
    return isinstance(value, str) and wanted in value


def receive(kind):
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"tcp:127.0.0.1:{listener.getsockname()[1]}", flush=True)
    peer, _ = listener.accept()
    stream = peer.makefile("rb")
    peer.sendall(hello(stream.read(64)[-16:]))
    arrived = 0
    # A refusal comes after the static data.
    while kind == "refuse" and arrived != FRAMES["static end"]:
        arrived, _, length = struct.unpack("<IIQ", stream.read(16))
        stream.read(length)
    peer.sendall(frame(kind, body(kind)))
    while stream.read1(65536):
        pass


def send(address, kind, count):
    host, port = address.removeprefix("tcp:").split(":")
    for _ in range(count):
        with socket.create_connection((host, int(port))) as peer:
            peer.sendall(b"GET /\r\n" * 10 if kind == "junk" else hello() + frame(kind, body(kind)))
            peer.shutdown(socket.SHUT_WR)
            try:
                while peer.recv(65536):
                    pass
            except ConnectionResetError:
                pass


def section():
    data = sys.stdin.buffer.read()
    assert data.count(b"QEVM") == 1
    at = data.index(b"QEVM") - 8
    kind, length = struct.unpack_from("<II", data, at - 8)
    state = data[at:at + length]
    rest = data[at + (length + 7 & ~7):]
    description = json.dumps({"page_size": 4096, "devices": [{"name": TEXT, "instance_id": 0}]}).encode()
    state += b"\x06" + struct.pack(">I", len(description)) + description
    sys.stdout.buffer.write(data[:at - 8] + struct.pack("<II", kind, len(state)) + state + bytes(-len(state) % 8) + rest)


verb, args = sys.argv[1], sys.argv[2:]
if verb == "check":
    for path in args:
        check(open(path, "rb").read(), path)
elif verb == "json":
    data = open(args[0], "rb").read()
    check(data, args[0])
    if not has(json.loads(data), args[1] if len(args) > 1 else TEXT):
        sys.exit(f"{args[0]}: the text is missing")
elif verb == "section":
    section()
elif verb == "receive":
    receive(args[0])
elif verb == "send":
    send(args[0], args[1], int(args[2]))
elif verb == "text":
    print(json.dumps(TEXT))
