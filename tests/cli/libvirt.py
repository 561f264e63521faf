# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a libvirt save file around a stream of QEMU: libvirt.py STREAM OUT FORMAT [big] [part] [v1] [cookie] [field=value...]"""

import gzip
import lzma
import struct
import subprocess
import sys

FORMATS = ["raw", "gzip", "bzip2", "xz", "lzop", "zstd", "sparse"]
stream, out, name, *options = sys.argv[1:]
values = dict(o.split("=") for o in options if "=" in o)
with open(stream, "rb") as f:
    body = f.read()
xml = b"<domain type='qemu'>\n  <name>web1</name>\n  <uuid>00112233-4455-6677-8899-aabbccddeeff</uuid>\n</domain>\n\0"
cookie = b"<cookie/>\0" if "cookie" in options else b""
data = xml + cookie + bytes(64)
fields = {"version": 1 if "v1" in options else 2, "length": len(data), "running": 1,
          "format": FORMATS.index(name), "cookie": len(xml) if cookie else 0}
fields.update({k: int(v) for k, v in values.items()})
header = struct.pack((">" if "big" in options else "<") + "19I", *fields.values(), *[0] * 14)
if name == "gzip":
    body = gzip.compress(body)
elif name == "xz":
    body = lzma.compress(body)
elif name == "zstd":
    body = subprocess.run(["zstd", "-c"], input=body, stdout=subprocess.PIPE, check=True).stdout
with open(out, "wb") as f:
    f.write((b"LibvirtQemudPart" if "part" in options else b"LibvirtQemudSave") + header + data + body)
