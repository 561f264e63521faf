# SPDX-License-Identifier: LGPL-2.1-or-later
"""A relay between a sender and a receiver on this machine: passes frames on, the small ones late, and notes which have
passed. So the hand-over takes long enough for a random moment to fall into it."""

import socket
import struct
import threading
import time

DATA, READY, YOURS, RUNNING = 3, 8, 9, 12


class Relay:
    piece = 1 << 16  # bytes that are passed on at once

    def __init__(self, port, delay):
        self.port, self.delay = port, delay
        self.passed = set()  # types of frames
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(60)
        self.address = "tcp:127.0.0.1:%d" % self.listener.getsockname()[1]
        self.ends = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            sender = self.listener.accept()[0]
            receiver = socket.create_connection(("127.0.0.1", self.port))
        except OSError:
            return
        self.ends = [sender, receiver]
        back = threading.Thread(target=self.pump, args=(receiver, sender), daemon=True)
        back.start()
        self.pump(sender, receiver)
        back.join()
        for end in self.ends:
            end.close()

    def head(self, kind, data, sink):
        """Passes on the head of a frame."""
        if kind != DATA:
            time.sleep(self.delay)
        sink.sendall(data)

    def part(self, data, sink, left):
        """Passes on a part of its body, of which left bytes follow. False: the connection ends here."""
        sink.sendall(data)
        return True

    def frame(self, kind):
        """A frame has passed."""
        self.passed.add(kind)

    def end(self, sink):
        """Nothing more comes for sink."""
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def pump(self, source, sink):
        try:
            while len(head := source.recv(16, socket.MSG_WAITALL)) == 16:
                kind, _, length = struct.unpack("<IIQ", head)
                self.head(kind, head, sink)
                while length:
                    part = source.recv(min(length, self.piece))
                    length -= len(part)
                    if not part or not self.part(part, sink, length if kind == DATA else 0):
                        return
                self.frame(kind)
        except OSError:
            pass
        finally:
            self.end(sink)

    def stage(self):
        """Where the hand-over is."""
        if RUNNING in self.passed:
            return "after"
        return "inside" if YOURS in self.passed else "before"

    def cut(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.cut()
        self.listener.close()
        self.thread.join(10)
