#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the checks of arrows, circles and references: they find planted faults and nothing else.

house.py TOOLS COMPILER..."""
import pathlib
import subprocess
import sys
import tempfile

TOOLS, COMPILER = pathlib.Path(sys.argv[1]), sys.argv[2:]


class House:
    """A small source tree in a temporary folder, with a build of it."""

    def __init__(self, folder, files, allowed=""):
        self.root = pathlib.Path(folder)
        self.allowed = self.root / "allowed"
        self.allowed.write_text(allowed, encoding="ascii")
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="ascii")

    def compile(self, command=()):
        """Compiles the sources into build/libgodwit.a, those of the list into an executable's folder, with Meson's names."""
        build = self.root / "build"
        (build / "godwit.p").mkdir(parents=True)
        objects = []
        for source in sorted(self.root.glob("src/**/*.c")):
            name = str(source.relative_to(self.root))
            result = build / ("godwit.p" if name in command else "") / (name.replace("/", "_") + ".o")
            subprocess.run([*COMPILER, "-c", f"-I{self.root}/src", "-o", result, source], check=True)
            if name not in command:
                objects.append(result)
        subprocess.run(["ar", "cr", build / "libgodwit.a", *objects], check=True)
        return build

    def check(self, tool, *arguments):
        exceptions = "--foreign" if tool == "check_references.py" else "--allowed"
        run = subprocess.run([sys.executable, TOOLS / tool, "--root", self.root, exceptions, self.allowed, *arguments],
                             capture_output=True, text=True, check=False)
        assert not run.stderr, run.stderr
        return run.returncode, run.stdout


def expect(files, tool, status, *texts, allowed="", build=False, command=()):
    """Checks the tool's exit status for this tree and that its output has these texts; without texts it is empty."""
    with tempfile.TemporaryDirectory() as folder:
        house = House(folder, files, allowed)
        arguments = [house.compile(command)] if build else []
        found, output = house.check(tool, *arguments)
        assert found == status, (files, found, output)
        assert bool(texts) == bool(output), (files, output)
        for text in texts:
            assert text in output, (files, text, output)


def arrows():
    def expect_arrow(path, header, status, *texts, allowed=""):
        expect({path: f"#include {header}\n"}, "check_arrows.py", status, *texts, allowed=allowed)

    expect_arrow("src/migrate/a.c", '"channel/fd.h"', 0)
    expect_arrow("src/cli/a.c", '"base/util.h"', 0)
    expect_arrow("src/cli/a.c", '"inspect/inspect.h"', 0)
    expect_arrow("src/examine/a.c", "<godwit/channel.h>", 0)
    expect_arrow("src/base/a.c", '"format/record.h"', 1, "src/base/a.c:1: format/record.h: base may not")
    expect_arrow("src/channel/sub/a.h", '"format/record.h"', 1, "channel may not include format")
    expect_arrow("src/format/a.c", '"channel/fd.h"', 1, "format may not include channel")
    expect_arrow("src/format/a.c", "<godwit/channel.h>", 1, "godwit/channel.h: format may not include channel")
    expect_arrow("src/examine/a.c", '"guest/guest.h"', 1, "examine may not include guest")
    expect_arrow("src/examine/a.c", '"convert/convert.h"', 1, "examine may not include convert")
    expect_arrow("src/read/a.c", '"hypervisor/domain.h"', 1, "read may not include hypervisor")
    expect_arrow("src/helper/a.c", '"vmm/process.h"', 1, "helper may not include vmm")
    expect_arrow("src/attic/a.c", '"base/util.h"', 1, "does not know the room attic")
    expect_arrow("src/base/a.c", "<godwit/novel.h>", 1, "to which room this header belongs")
    expect_arrow("include/godwit/a.h", '"base/util.h"', 1, "a public header includes only public headers")
    expect_arrow("src/hypervisor/emu/a.c", '"format/x86/policy.h"', 0)
    expect_arrow("src/hypervisor/emu/a.c", '"format/libxc/image.h"', 1, "only the x86 codecs")
    expect_arrow("src/hypervisor/host.c", '"hypervisor/emu/emu.h"', 0)
    expect_arrow("src/guest/a.c", '"hypervisor/emu/emu.h"', 1, "name a backend")
    expect_arrow("src/cli/a.c", '"hypervisor/memory/memory.h"', 1, "name a backend")
    upwards = ("src/base/a.c", '"format/record.h"')
    expect_arrow(*upwards, 0, allowed="src/base/*.c format/record.h  # a reason\n")
    expect_arrow(*upwards, 1, "no file needs the exception src/base/b.c", "base may not include format",
                 allowed="src/base/b.c format/record.h  # a reason\n")


def circles():
    links = {"src/base/a.c": "int b(void); int a(void) { return b(); }\n",
             "src/base/b.c": "int c(void); int b(void) { return c(); }\n",
             "src/base/c.c": "int a(void); int c(void) { return a(); }\n"}
    line = dict(links, **{"src/base/c.c": "int c(void) { return 0; }\n"})
    tool = "check_circles.py"
    expect(line, tool, 0, build=True)
    expect(links, tool, 1, "link circle: src/base/a.c, src/base/b.c, src/base/c.c", "src/base/b.c -> src/base/c.c: c",
           build=True)
    expect(links, tool, 0, allowed="src/base/a.c -> src/base/*.c  # a reason\n", build=True)
    expect(line, tool, 1, "no circle needs src/base/a.c", allowed="src/base/a.c -> src/base/b.c  # a reason\n",
           build=True)
    # A pointer to a function is a use too, and so is one from a program's own objects.
    pointers = {"src/cli/a.c": "extern int b(void); int (*a)(void) = b;\n",
                "src/cli/b.c": "extern int (*a)(void); int b(void) { return a != 0; }\n",
                "src/base/c.c": "int c(void) { return 0; }\n"}
    expect(pointers, tool, 1, "link circle: src/cli/a.c, src/cli/b.c", "src/cli/b.c -> src/cli/a.c: a", build=True,
           command=("src/cli/a.c", "src/cli/b.c"))
    headers = {"src/base/a.h": '#include "base/b.h"\n', "src/base/b.h": '#include "base/a.h"\n'}
    expect(headers, tool, 1, "include circle: src/base/a.h, src/base/b.h")
    public = {"include/godwit/a.h": "#include <godwit/b.h>\n", "include/godwit/b.h": "#include <godwit/a.h>\n"}
    expect(public, tool, 1, "include circle: include/godwit/a.h, include/godwit/b.h")
    expect({"src/base/a.h": "", "src/base/a.c": '#include "base/a.h"\n'}, tool, 0)


def references():
    def expect_comment(text, status, *texts, allowed=""):
        expect({"src/base/a.c": text, "src/base/sub/b.h": ""}, "check_references.py", status, *texts, allowed=allowed)

    expect_comment("/* see sub/b.h and\n * src/base/a.c */\n", 0)
    expect_comment('#include "none.h"\nconst char *p = "/* none.c */";\n', 0)
    expect_comment("int a; /* one\n * as none.c has it */\n", 1, "src/base/a.c:2: none.c: no file of this name")
    expect_comment("/* sub/a.c */\n", 1, "sub/a.c: no file")
    expect_comment("int a; // b.h, base_b.h\n", 1, "base_b.h: no file")
    expect_comment("/* as section 1.4 has it */\n", 1, "src/base/a.c:1: section 1...: of which document?")
    expect_comment("/* public/xen.h */\n", 0, allowed="public/xen.h  # Xen\n")
    expect_comment("/* nothing */\n", 1, "no comment names public/xen.h", allowed="public/xen.h  # Xen\n")


arrows()
circles()
references()
