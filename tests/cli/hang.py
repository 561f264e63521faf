# SPDX-License-Identifier: LGPL-2.1-or-later
"""A connection that hangs: listens at a unix socket, passes on BYTES of the first peer to another one, then takes no more.

usage: hang.py LISTEN CONNECT BYTES (paths of unix sockets)"""
import os
import select
import socket
import sys
import threading

listen, connect, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
server = socket.socket(socket.AF_UNIX)
server.bind(listen)
server.listen()
sender, _ = server.accept()
receiver = socket.socket(socket.AF_UNIX)
receiver.connect(connect)


def back():
    while data := receiver.recv(65536):
        sender.sendall(data)


threading.Thread(target=back, daemon=True).start()
while left and (data := sender.recv(min(left, 65536))):
    receiver.sendall(data)
    left -= len(data)
# Until the sender has closed, which is seen without taking a byte.
poll = select.poll()
poll.register(sender, select.POLLHUP | select.POLLRDHUP)
poll.poll(60000)
os.unlink(listen)
