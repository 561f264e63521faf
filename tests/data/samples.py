# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads and writes the compressed samples of this folder, for the scripts that change them."""
import lzma
import os

HERE = os.path.dirname(os.path.abspath(__file__))
DICTIONARY_MAX = 8 << 20


def read(path):
    with (lzma.open if path.endswith(".xz") else open)(path, "rb") as file:
        return file.read()


def write(path, data, preset=6):
    """A reader allocates the dictionary: it is no larger than the sample needs."""
    if not path.endswith(".xz"):
        packed = data
    else:
        size = 4096
        while size < len(data) and size < DICTIONARY_MAX:
            size *= 2
        packed = lzma.compress(data, check=lzma.CHECK_CRC64, filters=[
            {"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": size}])
    with open(path, "wb") as file:
        file.write(packed)
