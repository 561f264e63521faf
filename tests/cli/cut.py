# SPDX-License-Identifier: LGPL-2.1-or-later
"""A relay between a sender and a receiver that cuts the connection at one frame: cut.py HOST:PORT TYPE
prints the port it listens on. TYPE is a frame's number (docs/protocol.md); that frame and all after it are lost."""
import os
import socket
import struct
import sys
import threading


def exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            os._exit(0)
        data += more
    return data


def pump(source, sink, last):
    while True:
        head = exactly(source, 16)
        kind, _, length = struct.unpack("<IIQ", head)
        if kind == last:
            os._exit(0)
        sink.sendall(head)
        while length:
            part = exactly(source, min(length, 65536))
            sink.sendall(part)
            length -= len(part)


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    sender, _ = listener.accept()
    receiver = socket.create_connection((host, int(port)))
    last = int(sys.argv[2])
    threading.Thread(target=pump, args=(receiver, sender, last)).start()
    pump(sender, receiver, last)


main()
