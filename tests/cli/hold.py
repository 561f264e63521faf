# SPDX-License-Identifier: LGPL-2.1-or-later
"""A relay that stops a migration at one frame: hold.py HOST:PORT TYPE prints the port it listens on. It keeps the first
frame of this type (docs/protocol.md) and creates the file "held". When the file "pass" exists it passes the frame on; when
"drop" exists it closes both connections, and the frame is lost. Frames of the other direction pass meanwhile."""
import os
import socket
import struct
import sys
import threading
import time


def exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def hold(kind):
    open("held", "x").close()
    while not os.path.exists("pass"):
        if os.path.exists("drop"):
            os._exit(0)
        time.sleep(0.01)


def pump(source, sink, last):
    try:
        while True:
            head = exactly(source, 16)
            kind, _, length = struct.unpack("<IIQ", head)
            if kind == last and not os.path.exists("held"):
                hold(kind)
            sink.sendall(head)
            while length:
                part = exactly(source, min(length, 65536))
                sink.sendall(part)
                length -= len(part)
    except (EOFError, OSError):
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    sender, _ = listener.accept()
    receiver = socket.create_connection((host, int(port)))
    last = int(sys.argv[2])
    back = threading.Thread(target=pump, args=(receiver, sender, last))
    back.start()
    pump(sender, receiver, last)
    back.join()


main()
