#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The mutation check: plants faults in copies of source files, one in each, and requires that a test finds each.

The faults are in tools/mutants/*.toml (docs/testing.md says how to add one). A copy is compiled as its original is, and
the tests are linked once more with its object before the library, so that the linker does not take the original. All
that is made is in the folder "mutants" of the build. A fault counts as found when one of its tests fails, crashes or
runs into its time limit; a fault that does not compile is an error of the fault. The exit status is 1 if a fault is not
found, cannot be planted, or if a source file of the checked folders has fewer than two.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib

SOURCE = pathlib.Path(__file__).resolve().parent.parent
CHECKED = ("src/migrate", "src/guest", "src/read")
PER_FILE = 2
SKIPPED = 77  # what a test exits with that cannot run here

Outcome = collections.namedtuple("Outcome", "found text")


class Unusable(Exception):
    """A fault that cannot be planted or built, or a test that says nothing about it."""


class Mutant:
    """One fault: what the text of its file becomes."""

    def __init__(self, name, table):
        self.name = name
        self.file = table["file"]
        self.fault = table["fault"]
        self.tests = table["tests"]
        self.find = table["find"]
        self.replace = table["replace"]
        self.needs = table.get("needs")  # a path without which its tests are skipped
        if self.find.split() == self.replace.split():
            raise Unusable("the replacement is the text itself")
        # Formatting may change the white space of the text: any stands for any.
        self.pattern = re.compile(r"\s+".join(re.escape(word) for word in self.find.split()))

    def places(self, text):
        return len(self.pattern.findall(text))

    def planted(self, text):
        return self.pattern.sub(lambda match: self.replace.strip(), text, count=1)


def load_mutants():
    mutants = {}
    for path in sorted((SOURCE / "tools/mutants").glob("*.toml")):
        for name, table in tomllib.loads(path.read_text()).items():
            if name in mutants:
                sys.exit(f"mutants: {name} is there twice")
            try:
                mutants[name] = Mutant(name, table)
            except (KeyError, Unusable) as error:
                sys.exit(f"mutants: {path.name}: {name}: {error}")
    return mutants


def checked_sources():
    for folder in CHECKED:
        yield from sorted(path.relative_to(SOURCE).as_posix() for path in (SOURCE / folder).glob("**/*.c"))


def locate(mutant):
    """The file that the text stands in: the one named, or the only other one that has it since code moved."""
    named = SOURCE / mutant.file
    count = mutant.places(named.read_text()) if named.is_file() else 0
    if count == 1:
        return mutant.file
    if count > 1:
        raise Unusable(f"its text stands {count} times in {mutant.file}")
    holders = [path for path in (SOURCE / "src").glob("**/*.c") if mutant.places(path.read_text()) == 1]
    if len(holders) != 1:
        raise Unusable(f"does not apply: its text stands in {len(holders)} files, {mutant.file} is none of them")
    return holders[0].relative_to(SOURCE).as_posix()


def locate_all(mutants):
    """Where each fault goes, and what is wrong with the collection as a whole."""
    places, wrong = {}, []
    for mutant in mutants.values():
        try:
            places[mutant.name] = locate(mutant)
        except Unusable as error:
            wrong.append(f"{mutant.name}: {error}")
    count = collections.Counter(places.values())
    for source in checked_sources():
        if count[source] < PER_FILE:
            wrong.append(f"{source}: {count[source]} planted faults, at least {PER_FILE} are needed")
    return places, wrong


class Build:
    """A build of the source, and in its folder "mutants" what is made of the planted faults."""

    def __init__(self, folder):
        self.folder = folder
        self.made = folder / "mutants"
        load = lambda name: json.loads((folder / "meson-info" / f"intro-{name}.json").read_text())
        self.tests = {test["name"]: test for test in load("tests")}
        # The first of a source's commands is the one of the library.
        self.compile = {}
        for entry in json.loads((folder / "compile_commands.json").read_text()):
            path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), SOURCE)
            self.compile.setdefault(path, entry)
        self.usual = {}  # seconds that a test takes without a fault

    def program(self, name):
        """The program of a test, as a target of ninja."""
        path = os.path.relpath(self.tests[name]["cmd"][0], self.folder)
        if path.startswith(".."):
            raise Unusable(f"{name} is no program of the build")
        return path

    def compile_command(self, place, source, output):
        words = shlex.split(self.compile[place]["command"])
        given = {"-o": output, "-MQ": output, "-MF": output.with_suffix(".d"), "-c": source}
        for i, word in enumerate(words):
            if word in given:
                words[i + 1] = str(given[word])
        # What the original includes from its own folder is there; a fault may leave a variable unused.
        return [*words, "-iquote", str((SOURCE / place).parent), "-w", "-Wno-error"]

    def link_command(self, program, extra, output):
        listed = subprocess.run(["ninja", "-C", self.folder, "-t", "commands", program], check=True,
                                capture_output=True, text=True).stdout.splitlines()
        words = shlex.split(listed[-1])
        at = words.index("-o") + 1
        words[at] = str(output)
        # Before every library: GNU ld would else take the original out of the archive first.
        return [*words[:at + 1], str(extra), *words[at + 1:]]

    def output_of(self, mutant, program):
        return self.made / mutant.name / os.path.basename(program)

    def make(self, mutants, places):
        """Builds the tests of all faults in one run of ninja, whose file is written here."""
        # A log of its own: the build would remove what its log has and build.ninja does not.
        lines = [f"builddir = {self.made}", "rule run", "  command = $command", "  description = $out"]

        def edge(output, inputs, command):
            text = shlex.join(map(str, command)).replace("$", "$$")
            lines.extend([f"build {output}: run {' '.join(map(str, inputs))}", f"  command = {text}"])

        for mutant in mutants:
            folder = self.made / mutant.name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            source, output = folder / pathlib.Path(mutant.file).name, folder / "fault.o"
            source.write_text(mutant.planted((SOURCE / places[mutant.name]).read_text()))
            edge(output, [source], self.compile_command(places[mutant.name], source, output))
            for program in sorted({self.program(name) for name in mutant.tests}):
                linked = self.output_of(mutant, program)
                edge(linked, [output], self.link_command(program, output, linked))
        (self.made / "build.ninja").write_text("\n".join(lines) + "\n")
        (self.made / ".ninja_log").unlink(missing_ok=True)
        done = subprocess.run(["ninja", "-C", self.folder, "-f", self.made / "build.ninja", "-k", "0"],
                              capture_output=True, text=True)
        (self.made / "log.txt").write_text(done.stdout + done.stderr)

    def run(self, name, program=None):
        """Runs a test, or its program with a fault: None if it passes, else how it failed."""
        test = self.tests[name]
        # Without an earlier time the test's own limit holds, for a slow machine.
        limit = max(20, 10 * self.usual[name]) if name in self.usual else 10 * test["timeout"]
        env = {**os.environ, **test["env"]}
        # The same numbers each time: a fault is found or it is not.
        env.pop("GODWIT_SEED", None)
        command = [program or test["cmd"][0], *test["cmd"][1:]]
        start = time.monotonic()
        process = subprocess.Popen(command, env=env, cwd=test["workdir"] or self.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        kill_group(process)
        if not program:
            self.usual[name] = time.monotonic() - start
        if status == SKIPPED:
            raise Unusable(f"{name} is skipped here")
        if status is None:
            return "ran into its time limit"
        if status < 0:
            return "crashed: " + signal.Signals(-status).name
        return "failed" if status else None


def kill_group(process):
    """Ends what a test left running, and itself."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def try_mutant(build, mutant):
    for name in mutant.tests:
        program = build.output_of(mutant, build.program(name))
        if not program.is_file():
            raise Unusable(f"does not build, see {build.made / 'log.txt'}")
        how = build.run(name, program)
        if how:
            return Outcome(True, f"found by {name}" + ("" if how == "failed" else f" ({how})"))
    return Outcome(False, f"NOT FOUND by {', '.join(mutant.tests)}: {mutant.fault}")


def check_tests(build, mutants):
    """What is wrong with the tests as long as nothing is planted: they have to be there and to pass."""
    wrong = []
    for name in sorted({name for mutant in mutants for name in mutant.tests}):
        try:
            how = build.run(name) if name in build.tests else "there is no such test"
        except Unusable as error:
            how = str(error)
        if how:
            wrong.append(f"{name}, without any fault: {how}")
    return wrong


def try_all(build, mutants, places):
    """Tries each in turn and prints its outcome; returns what went wrong."""
    wrong = check_tests(build, mutants)
    if wrong:
        return wrong
    build.make(mutants, places)
    for i, mutant in enumerate(mutants):
        try:
            outcome = try_mutant(build, mutant)
        except Unusable as error:
            outcome = Outcome(False, str(error))
        moved = "" if places[mutant.name] == mutant.file else f" (now in {places[mutant.name]})"
        print(f"{i + 1}/{len(mutants)} {mutant.name}{moved}: {outcome.text}", flush=True)
        if not outcome.found:
            wrong.append(f"{mutant.name}: {outcome.text}")
    return wrong


def main():
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these faults, or those of this file")
    parser.add_argument("--list", action="store_true", help="list the faults, try none")
    parser.add_argument("--check", action="store_true", help="check that each can be planted, try none")
    parser.add_argument("--sample", type=int, metavar="N", help="try N of them, chosen by the seed")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("GODWIT_SEED", "20261130")), help="the seed of a sample")
    parser.add_argument("--build", default=SOURCE / "build", type=pathlib.Path, help="a build with tests, up to date")
    options = parser.parse_args()
    mutants = load_mutants()
    places, wrong = locate_all(mutants)
    chosen = [m for m in mutants.values() if not options.names or m.name in options.names or m.file in options.names]
    for name in options.names:
        if name not in mutants and name not in [m.file for m in chosen]:
            sys.exit(f"mutants: there is no fault {name}")
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name:32} {places.get(mutant.name, mutant.file)}: {mutant.fault}")
        return 0
    chosen = [mutant for mutant in chosen if mutant.name in places]
    if not options.check:
        for mutant in [m for m in chosen if m.needs and not os.path.exists(m.needs)]:
            print(f"{mutant.name}: not tried, there is no {mutant.needs}")
            chosen.remove(mutant)
    if options.sample is not None:
        print(f"the sample of seed {options.seed}:")
        chosen = random.Random(options.seed).sample(chosen, min(options.sample, len(chosen)))
    if not options.check:
        wrong += try_all(Build(options.build.absolute()), chosen, places)
    for line in wrong:
        print("mutants: " + line)
    print(f"{len(chosen)} faults, {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
