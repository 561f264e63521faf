# SPDX-License-Identifier: LGPL-2.1-or-later
"""A wire between a primary and its backup on this machine, which can be cut or stalled in the middle of a checkpoint. It
counts the checkpoints that the backup has stored."""

import time

import relay

STORED = 18


class Wire(relay.Relay):
    piece = 1 << 12

    def __init__(self, port, draw):
        self.draw = draw
        self.stored = 0  # checkpoints
        self.stalled = self.wants_cut = False
        super().__init__(port, 0)

    def pass_on(self, data, sink):
        while self.stalled:
            time.sleep(0.01)
        sink.sendall(data)

    def head(self, kind, data, sink):
        self.pass_on(data, sink)

    def part(self, data, sink, left):
        self.pass_on(data, sink)
        return not (self.wants_cut and left)

    def frame(self, kind):
        self.stored += kind == STORED

    def end(self, sink):
        super().cut()

    def cut(self):
        """In the middle of the next DATA frame, or at once."""
        if self.draw.random() < 0.5:
            self.wants_cut = True
        else:
            super().cut()

    def stall(self):
        self.stalled = True

    def close(self):
        self.stalled = False
        super().cut()
        self.listener.close()
        self.thread.join(10)
