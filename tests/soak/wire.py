# SPDX-License-Identifier: LGPL-2.1-or-later
"""A wire between a primary and its backup on this machine, which can be cut or stalled in the middle of a checkpoint. It
counts the checkpoints that the backup has stored."""

import socket
import struct
import threading
import time

DATA, STORED = 3, 18


class Wire:
    def __init__(self, port, draw):
        self.port, self.draw = port, draw
        self.passed = 0  # checkpoints stored
        self.stalled = self.wants_cut = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(60)
        self.address = "tcp:127.0.0.1:%d" % self.listener.getsockname()[1]
        self.ends = []
        self.threads = [threading.Thread(target=self.run, daemon=True)]
        self.threads[0].start()

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

    def pass_on(self, data, sink):
        while self.stalled:
            time.sleep(0.01)
        sink.sendall(data)

    def pump(self, source, sink):
        try:
            while len(head := source.recv(16, socket.MSG_WAITALL)) == 16:
                kind, _, length = struct.unpack("<IIQ", head)
                self.pass_on(head, sink)
                while length:
                    part = source.recv(min(length, 1 << 12))
                    if not part:
                        return
                    self.pass_on(part, sink)
                    length -= len(part)
                    if self.wants_cut and kind == DATA and length:
                        return
                self.passed += kind == STORED
        except OSError:
            pass
        finally:
            self.close_ends()

    def close_ends(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """In the middle of the next DATA frame, or at once."""
        if self.draw.random() < 0.5:
            self.wants_cut = True
        else:
            self.close_ends()

    def stall(self):
        self.stalled = True

    def close(self):
        self.close_ends()
        self.stalled = False
        self.listener.close()
        self.threads[0].join(10)
