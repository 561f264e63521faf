# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the conversion of a legacy image of 1 GiB between files and pipes. Beside it, in the same run, it measures
cat over the same ends and, if there is one, Xen's own converter: the script that XEN_CONVERTER names, or Debian's.
Files are in memory if there is room, so that no disk is measured. The result is the best of several runs, which
alternate; processor time is that of the converter alone."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUNS = 5
MIB = 1024
DEBIANS = "/usr/lib/xen-4.17/bin/convert-legacy-stream"
IMAGES = {
    # Saved while the guest was suspended, and live: then pages from a pipe have to be kept, in $TMPDIR.
    "convert": "leg45_hvm_w64_1024",
    "convert-live": "leg45_hvm_w64_live_4096",
}
ENDS = ("file-pipe", "pipe-pipe", "file-file", "pipe-file")


def xens():
    """Xen's converter as a command and its environment, or None."""
    script = os.environ.get("XEN_CONVERTER", DEBIANS)
    if not os.path.exists(script):
        return None
    library = os.path.join(os.path.dirname(os.path.dirname(script)), "lib/python")
    return ([sys.executable, script, "--in", "0", "--out", "1", "--width", "64", "--guest", "hvm", "--format",
             "libxl"], dict(os.environ, PYTHONPATH=library))


def once(command, env, ends, image, output):
    """Seconds, and processor time of the command, which reads stdin and writes stdout."""
    source, sink = ends.split("-")
    begin = time.perf_counter()
    feeder = eater = None
    if source == "pipe":
        feeder = subprocess.Popen(["cat", image], stdout=subprocess.PIPE)
        stdin = feeder.stdout
    else:
        stdin = open(image, "rb")
    if sink == "pipe":
        eater = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        stdout = eater.stdin
    else:
        stdout = open(output, "wb")
    process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, env=env)
    stdin.close()
    stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    for other in (eater, feeder):
        if other:
            other.wait()
    seconds = time.perf_counter() - begin
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    if sink == "file":
        os.unlink(output)
    return seconds, usage.ru_utime + usage.ru_stime


def folder_with_room():
    """A folder in memory, if it has room for an image and its conversion."""
    shm = "/dev/shm"
    if os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 4 * MIB << 20:
        return shm
    return None


def compare(name, converter, image, output, is_wanted):
    for ends in ENDS:
        if not is_wanted(f"{name}-{ends}"):
            continue
        commands = {"godwit": ([converter, "convert", "-", "-"], None), "cat": (["cat"], None), "xen": xens()}
        runs = {who: [] for who, command in commands.items() if command}
        for _ in range(RUNS):
            for who, times in runs.items():
                times.append(once(*commands[who], ends, image, output))
        best = {who: (min(t[0] for t in times), min(t[1] for t in times)) for who, times in runs.items()}
        seconds, cpu = best["godwit"]
        line = (f"{name + '-' + ends:24} {MIB / seconds:10.0f} MiB/s {best['cat'][0] / seconds:6.2f} of cat, "
                f"{cpu:.2f} s of processor time, cat {best['cat'][1]:.2f}")
        if "xen" in best:
            line += f"; Xen's: {MIB / best['xen'][0]:.0f} MiB/s, {best['xen'][1]:.2f} s"
        print(line)


def run(build, is_wanted):
    for name, source in IMAGES.items():
        if not any(is_wanted(f"{name}-{ends}") for ends in ENDS):
            continue
        with tempfile.TemporaryDirectory(dir=folder_with_room()) as folder:
            image = f"{folder}/image"
            subprocess.run([sys.executable, f"{ROOT}/tests/cli/sparse.py", "--full",
                            f"{ROOT}/tests/data/xen-code/{source}.xz", str(MIB), image], check=True)
            compare(name, f"{build}/godwit", image, f"{folder}/out", is_wanted)
