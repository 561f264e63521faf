# SPDX-License-Identifier: LGPL-2.1-or-later
"""Slow senders: slow.py PORT KIND [N]. Each line of the output is one connection: the seconds until it was ended, and the
text of the ERROR that it got, if any.
silent: says nothing. hello: sends HELLO byte by byte. config: a whole HELLO, then CONFIG byte by byte, with ALIVE.
many N FIRST: N silent connections from the addresses FIRST, FIRST + 1 and so on, which print a line "open" when all
stand; FIRST may be followed by "same" to use one address."""
import re
import socket
import struct
import sys
import time


def hello():
    body = struct.pack("<8sIIQQ16s", b"GODWIT01", 1, 1, 1, 0, b"0123456789abcdef")
    return struct.pack("<IIQ", 1, 0, len(body)) + body


def text_of(got):
    """The texts of the ERROR frames in what came; other frames are skipped."""
    texts, at = [], 0
    while at + 16 <= len(got):
        kind, _, length = struct.unpack_from("<IIQ", got, at)
        if kind == 14:
            texts.append(got[at + 16 : at + 16 + length].decode())
        at += 16 + length
    return " ".join(texts) or "closed"


def drip(sock, pieces):
    """Sends piece after piece, ten a second, until the other side ends; returns what it said."""
    got = b""
    sock.settimeout(0.1)
    for piece in pieces:
        try:
            if piece:
                sock.sendall(piece)
            more = sock.recv(4096)
            if not more:
                return got
            got += more
        except TimeoutError:
            pass
        except OSError:
            return got
    return got


def bytes_of(data):
    for i in range(len(data)):
        yield data[i : i + 1]


def config():
    yield hello()
    yield struct.pack("<IIQ", 2, 0, 200000)
    while True:
        yield b" "


def forever():
    while True:
        yield b""


def one(port, kind):
    began = time.monotonic()
    sock = socket.create_connection(("127.0.0.1", port))
    if kind == "hello":
        pieces = bytes_of(hello() * 20)
    elif kind == "tls":
        pieces = bytes_of(b"\x16\x03\x01\x02\x00" + bytes(512))
    else:
        pieces = {"silent": forever, "config": config}[kind]()
    got = drip(sock, pieces)
    print("%.1f %s" % (time.monotonic() - began, text_of(got)), flush=True)


def many(port, n, first, same):
    socks = []
    base = int(re.fullmatch(r"127\.0\.0\.(\d+)", first)[1])
    for i in range(n):
        sock = socket.socket()
        sock.bind(("127.0.0.%d" % (base if same else base + i), 0))
        sock.connect(("127.0.0.1", port))
        socks.append(sock)
    print("open", flush=True)
    for sock in socks:
        print("ended", text_of(drip(sock, forever())), flush=True)


if len(sys.argv) > 3:
    many(int(sys.argv[1]), int(sys.argv[3]), sys.argv[4], len(sys.argv) > 5)
else:
    one(int(sys.argv[1]), sys.argv[2])
