#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the matrix of Xen tests: boots a real Xen with a dom0 under QEMU and prints a line for each row.

usage: matrix.py BUILD [--dir DIR] [--shadow] [--all] [--list] [--record DIR] [NAME...]

BUILD is a build of godwit; its installed files are part of dom0. The rig's own files are in DIR (BUILD/xen). NAME is the
name of a row or a pattern of names (save-pv-*). Without names the rows of tests/xen/default run, with --all every row.
--shadow boots a hypervisor that is built from Debian's source with shadow paging; without names the live rows of PV guests run.
--record keeps the images of the rows same-* in DIR, compressed; without names those rows run.

Each line is "ok NAME", "not ok NAME: why" or "skip NAME: why". Exit status: 0 no row failed, 1 a row failed or the machine
did, 2 usage, 77 the rig cannot be had here."""
import argparse
import fnmatch
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# Without these an HVM or PVH guest cannot run under QEMU's emulation: RDTSCP is intercepted with a wrong length, and
# the size of the XSAVE area differs from what Linux computes.
CPU = "max,-smap,-smep,-la57,-xsave,-rdtscp"
EMULATION = ["-accel", "tcg,thread=multi"]
MEMORY, DOM0_MEMORY = "1792", "832M"
RECORDED_ROWS = ["same-*"]
SHADOW_ROWS = ["live-pv-*", "live-linux-pv-*"]  # those that depend on the hypervisor
SILENCE_LIMIT = 300  # seconds; longer than a row may take


class Skip(Exception):
    pass


def build(rig, part, **env):
    done = subprocess.run(["bash", HERE / "build.sh", rig, part], stdout=subprocess.PIPE, text=True, env={**os.environ, **env})
    said = done.stdout.strip()
    if done.returncode == 77:
        raise Skip(said.splitlines()[-1])
    if done.returncode:
        sys.exit("building the rig's %s failed: %s" % (part, said))


def all_rows(folder="rows"):
    out = subprocess.run(["sh", HERE / "dom0/matrix.sh", "--list"], check=True, stdout=subprocess.PIPE, text=True,
                         env={**os.environ, "RIG": str(HERE), "ROWS": folder})
    return out.stdout.split()


def patterns(path):
    return [line.split("#")[0].strip() for line in path.read_text().splitlines() if line.split("#")[0].strip()]


def choose(rows, names):
    for name in names:
        if not fnmatch.filter(rows, name):
            print("there is no row %s; --list prints them" % name, file=sys.stderr)
            sys.exit(2)
    return [row for row in rows if any(fnmatch.fnmatchcase(row, name) for name in names)]


def install(build_dir, root):
    """The installed tree of the build."""
    done = subprocess.run(["meson", "install", "-C", build_dir, "--no-rebuild", "--quiet", "--destdir", root],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit("meson install failed: " + done.stdout)
    for static in root.rglob("*.a"):
        static.unlink()


def libraries_of(root):
    """The shared libraries of the programs in it."""
    libraries = set()
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF":
            out = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
            libraries |= {line.split()[2] for line in out.splitlines() if "=> /" in line}
    return libraries


def options_of(build_dir):
    out = subprocess.run(["meson", "introspect", "--buildoptions", build_dir], check=True, stdout=subprocess.PIPE)
    return {option["name"]: option["value"] for option in json.loads(out.stdout)}


def copy_rig(build_dir, rig, root):
    """The scripts, the guests, the installed tree and the libraries of its programs: what dom0 has on top of dom0.cpio."""
    guests = root / "rig/guests"
    guests.mkdir(parents=True)
    for folder in ("dom0", "rows", "bench"):
        shutil.copytree(HERE / folder, root / "rig" / folder)
    for tool in (rig / "look", rig / "agree", rig / "tap", build_dir / "tests/hypervisor/xen_probe",
                 build_dir / "tests/fidelity/fidelity_make"):
        if tool.exists():
            shutil.copy(tool, root / "rig" / tool.name)
    for name in (rig / "vmlinuz", rig / "guest.cpio", rig / "disk.img", *(build_dir / "guests").glob("*.elf")):
        if name.exists():
            shutil.copy(name, guests)
    install(build_dir, root)
    if str(options_of(build_dir)["prefix"]) != "/usr/local":
        prefix = root / str(options_of(build_dir)["prefix"]).lstrip("/")
        (root / "usr").mkdir(exist_ok=True)
        (root / "usr/local").symlink_to("/" + str(prefix.relative_to(root)))
    to = root / "lib/x86_64-linux-gnu"
    to.mkdir(parents=True, exist_ok=True)
    for library in libraries_of(root):
        # Those of the packages that dom0's programs were built with stay.
        if not (rig / "dom0/lib/x86_64-linux-gnu" / os.path.basename(library)).exists():
            shutil.copy(os.path.realpath(library), to / os.path.basename(library))


def initramfs(rig, root, parts, target):
    listing = subprocess.run(["find", ".", "-print0"], cwd=root, check=True, stdout=subprocess.PIPE).stdout
    top = subprocess.run(["cpio", "--quiet", "-0", "-o", "-H", "newc", "-R", "0:0"], cwd=root, input=listing, check=True,
                         stdout=subprocess.PIPE).stdout
    with open(target, "wb") as f:
        for part in parts:
            f.write((rig / part).read_bytes())
        f.write(top)


def boot(rig, share, initrd, hypervisor):
    return subprocess.Popen(
        ["qemu-system-x86_64", *EMULATION, "-cpu", CPU, "-smp", "1", "-m", MEMORY, "-display", "none",
         "-vga", "none", "-nodefaults", "-no-reboot", "-monitor", "none", "-serial", "file:%s" % (share / "serial.log"),
         "-fsdev", "local,id=out,path=%s,security_model=none" % share, "-device", "virtio-9p-pci,fsdev=out,mount_tag=out",
         "-kernel", rig / hypervisor, "-append",
         "console=com1 com1=115200,8n1 dom0_mem=%s,max:%s loglvl=all guest_loglvl=all conring_size=1M" % (DOM0_MEMORY, DOM0_MEMORY),
         "-initrd", "%s console=hvc0 panic=-1 quiet,%s" % (rig / "vmlinuz", initrd)],
        stdin=subprocess.DEVNULL)


class Share:
    """The folder that is /out in dom0: results come out of it, and requests for work on the host."""

    def __init__(self, path, env):
        self.path, self.env, self.seen, self.job = path, env, 0, None

    def results(self):
        file = self.path / "results"
        lines = file.read_text().split("\n")[:-1] if file.exists() else []
        new, self.seen = lines[self.seen:], len(lines)
        return new

    def serve(self):
        """One request of on_host in dom0's lib.sh, run in the background; True while there is one."""
        request = self.path / "ask.now"
        if not self.job and request.exists():
            script, *arguments = request.read_text().split()
            request.unlink()
            with open(self.path / "ask.output", "wb") as output:
                self.job = subprocess.Popen(["bash", HERE / "host" / (script + ".sh"), *arguments], cwd=self.path, env=self.env,
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        if self.job and self.job.poll() is not None:
            (self.path / "ask.status.new").write_text("%d\n" % self.job.returncode)
            (self.path / "ask.status.new").rename(self.path / "ask.status")
            self.job = None
        return bool(self.job)


def follow(machine, share, wanted):
    """Prints results as they come; returns them, and the reason if the machine ended or hung before the end."""
    results, began, last = [], time.monotonic(), time.monotonic()
    while True:
        ended = machine.poll() is not None
        if share.serve():
            last = time.monotonic()
        for line in share.results():
            last = time.monotonic()
            if line == "end":
                return results, None
            print(line, flush=True)
            results.append(line)
        if ended:
            return results, "the machine ended"
        if time.monotonic() - last > SILENCE_LIMIT:
            return results, "nothing came from the machine for %d s" % (time.monotonic() - last)
        time.sleep(0.1)


def run(args, rig, wanted, source, ready=lambda share: None):
    """Boots the machine and runs the rows. ready is called with the share before the machine starts."""
    build_dir = args.build.resolve()
    parts = ["dom0.cpio"]
    build(rig, "base")
    if any("hvm" in row for row in wanted):
        build(rig, "disk", GUEST=str(build_dir / "guests/godwit-guest32.elf"))
    if args.shadow:
        build(rig, "shadow")
    share, root = rig / "share", rig / "tree"
    for folder in (share, root):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    if any("hvm" in row for row in wanted):
        try:
            build(rig, "hvm")
            parts.append("model.cpio")
        except Skip as skip:
            (share / "no-model").write_text(str(skip))
    copy_rig(build_dir, rig, root)
    initramfs(rig, root, parts, rig / "initrd")
    (share / "wanted").write_text("".join(row + "\n" for row in wanted))
    if args.shadow:
        (share / "shadow").touch()
    env = {**os.environ, "GODWIT": str(build_dir / "godwit"), "GUESTS": str(build_dir / "guests"), "SOURCE": str(source),
           "XEN_TOOLS": str(rig / "root/usr/lib/xen-4.17"), "GODWIT_RUNTIME_DIR": str(share / "run"), "GODWIT_CONF": "/dev/null",
           "PYTHON": "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable}
    ready(share)
    machine = boot(rig, share, rig / "initrd", "xen-shadow.bin" if args.shadow else "xen.bin")
    try:
        results, why = follow(machine, Share(share, env), wanted)
        if not why:
            machine.wait(60)
    finally:
        machine.kill()
        machine.wait()
    return results, why, share


def keep_images(folder, to):
    """Compresses each file with a dictionary of its size, in the way that makes it smallest: entries of pages count up."""
    to.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*")):
        size = -(-path.stat().st_size // 2**20)
        ways = [["xz", "-c", *delta, "--lzma2=preset=9,dict=%dMiB" % size, path] for delta in ([], ["--delta=dist=8"])]
        packed = min((subprocess.run(way, check=True, stdout=subprocess.PIPE).stdout for way in ways), key=len)
        (to / (path.name + ".xz")).write_bytes(packed)
        print("%s: %d bytes" % (to / (path.name + ".xz"), len(packed)))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1][len("usage: "):])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--dir", type=pathlib.Path)
    parser.add_argument("--shadow", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--record", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    args = parser.parse_intermixed_args()
    # So that the machine ends with this program.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rows = all_rows()
    if args.list:
        print("\n".join(rows))
        return 0
    usual = SHADOW_ROWS if args.shadow else RECORDED_ROWS if args.record else patterns(HERE / "default")
    wanted = rows if args.all else choose(rows, args.names or usual)
    rig = (args.dir or args.build / "xen").resolve()
    began = time.monotonic()
    try:
        if not shutil.which("qemu-system-x86_64"):
            raise Skip("qemu-system-x86_64 is not installed")
        results, why, share = run(args, rig, wanted, HERE.parent.parent)
    except Skip as skip:
        print("SKIP: the Xen rig cannot be had here: %s" % skip)
        return 77
    if args.record:
        keep_images(share / "record", args.record)
    failed = sum(line.startswith("not ok ") for line in results)
    if why:
        done = {line.removeprefix("not ").split()[1].rstrip(":") for line in results}
        missing = [row for row in wanted if row not in done]
        print("not ok %s: %s (%s)" % (missing[0] if missing else "the end", why, share / "serial.log"))
        failed += 1
    if failed:
        print("what the rows printed is in %s" % (share / "rows"))
    print("%d ok, %d failed, %d skipped, %d rows not run, %d s" % (
        sum(line.startswith("ok ") for line in results), failed, sum(line.startswith("skip ") for line in results),
        len(rows) - len(wanted), time.monotonic() - began))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
