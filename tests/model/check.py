#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Explores the model of the hand-over: it makes Promela of sides.table for handover.pml, and has
spin try every order of events. The model must hold; each of its outcomes must be reached; each mutant of it, such as
one without MINE, must be found wrong. Exit status 77 where spin or a C compiler is missing."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
OUTCOMES = ("source", "moved", "unknown")
SKIPPED = 77

ENDS = 12  # pairs of outcomes of sender and receiver, numbered in handover.pml

# These mutants are wrong where nothing is lost and nobody dies: the operator is needed all the same.
CALM = ("RELEASE does not wait for MINE", "a cancel after MINE is obeyed",
        "an ERROR in the window decides nothing")
# Lines of the table that replace those of the same side, state and event; and what each of them breaks.
MUTANTS = {
    "without MINE the sender lets go": "sender streamed READY YOURS moved",
    "RELEASE does not wait for MINE": "sender streamed READY YOURS,RELEASE released",
    "without RELEASE the receiver runs": "receiver ready YOURS MINE,RUNNING moved",
    "without RUNNING the sender lets go": "sender window MINE RELEASE moved",
    "a source without MINE runs on": "sender window silence - source;receiver ready YOURS MINE,RUNNING moved",
    "a source without RUNNING runs on": "sender released silence - source",
    "a receiver without RELEASE runs": "receiver mine silence RUNNING moved",
    "a receiver without RELEASE drops its copy": "receiver mine silence - source;sender released silence - moved",
    "ERROR after MINE is a refusal": "receiver mine silence ERROR unknown",
    "a cancel in the window is obeyed": "sender window cancel CANCEL source",
    "a cancel after RELEASE is obeyed": "sender released cancel CANCEL source",
    "a cancel after MINE is obeyed": "receiver mine cancel CANCEL source",
    "an ERROR in the window decides nothing": "sender window ERROR - unknown",
    "an ERROR after MINE ends it at the source": "sender released ERROR - source",
}


class Wrong(Exception):
    """The model says another thing than it should."""


def rows(text):
    """The lines of a table as (side, state, event) -> (sends, next)."""
    table = {}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        side, states, event, sends, following = words
        for state in states.split(","):
            if (side, state, event) in table:
                raise Wrong("two lines for %s %s %s" % (side, state, event))
            table[side, state, event] = ([] if sends == "-" else sends.split(","), following)
    return table


def changed(table, lines):
    table = dict(table)
    for key, value in rows(lines.replace(";", "\n")).items():
        if table.get(key) == value or key not in table:
            raise Wrong("a mutant changes nothing: %s %s %s" % key)
        table[key] = value
    return table


def action(side, event, sends, following, number):
    """Promela for one line of the table: what SIDE_acts() of the model then does."""
    first, second = (sends + ["none", "none"])[:2]
    steps = ["first = %s; second = %s" % (first, second)]
    if event == "RELEASE!":
        steps += ["run_failed = true"]
    if following in OUTCOMES:
        steps += ["outcome = " + following]
    else:
        steps += ["%s_state = %d" % (side, number[following])]
    return "; ".join(steps)


def step(table, side):
    """The inline SIDE_chooses(event): one choice for each state."""
    states = list(dict.fromkeys(state for s, state, _ in table if s == side))
    number = {state: i for i, state in enumerate(states)}
    text = "inline %s_chooses(event)\n{\n\tif\n" % side
    for state in states:
        text += "\t:: %s_state == %d ->\n\t\tif\n" % (side, number[state])
        events = {event: row for (s, at, event), row in table.items() if s == side and at == state}
        for event, (sends, following) in events.items():
            guard = "else" if event == "other" else "event == " + event.rstrip("!")
            text += "\t\t:: %s -> %s\n" % (guard, action(side, event, sends, following, number))
        text += "\t\tfi\n"
    return text + "\tfi\n}\n"


def promela(table):
    """What handover.pml includes."""
    return step(table, "sender") + step(table, "receiver")


def run(command, folder):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def explore(name, model, folder, defines=(), livelocks=False):
    """Has spin search the model. Returns its output; without errors the search was complete."""
    place = pathlib.Path(tempfile.mkdtemp(dir=folder))
    (place / "sides.pml").write_text(model)
    shutil.copy(HERE / "handover.pml", place)
    for command in (["spin", "-a", *("-D" + d for d in defines), "handover.pml"],
                    ["cc", "-w", "-DNP" if livelocks else "-DSAFETY", "-DMEMLIM=1024", "-o", "pan", "pan.c"]):
        status, text = run(command, place)
        if status != 0:
            raise Wrong("%s: %s failed: %s" % (name, command[0], text))
    all_errors = ["-c0"] if "REACHED" in defines else []
    _, text = run(["./pan", "-m100000"] + all_errors + (["-l"] if livelocks else []), place)
    if not re.search(r"errors: \d+", text) or "max search depth too small" in text or "out of memory" in text:
        raise Wrong("%s: the search is not complete: %s" % (name, text))
    return text


def errors(text):
    return int(re.search(r"errors: (\d+)", text).group(1))


def ends(text):
    """The numbers of the pairs of outcomes that were reached."""
    return {int(n) for n in re.findall(r"assertion violated +!\(\(*(\d+)&&", text)}


def holds(text):
    return errors(text) == 0


def all_ends(text):
    return ends(text) == set(range(1, ENDS + 1))


def is_found(text):
    return errors(text) > 0 and not ends(text)


def searches(table):
    """Each search: its name, what its output has to be, and how it is done."""
    model = promela(table)
    yield "the hand-over", holds, model, ()
    yield "the hand-over always comes to an end", holds, model, (), True
    yield "the hand-over without faults of the network", holds, model, ("CALM",)
    yield "each pair of outcomes is reached", all_ends, model, ("REACHED",)
    yield "mutant: the operator claims without a look at the other side", is_found, model, ("HASTY",)
    for name, lines in MUTANTS.items():
        calm = ("CALM",) if name in CALM else ()
        yield "mutant: " + name, is_found, promela(changed(table, lines)), calm


def main():
    for tool in ("spin", "cc"):
        if not shutil.which(tool):
            print("SKIP: %s is not installed" % tool)
            return SKIPPED
    folder = pathlib.Path(tempfile.mkdtemp(prefix="godwit-model-"))
    table = rows((HERE / "sides.table").read_text())
    wrong = total = 0
    try:
        for name, good, *how in searches(table):
            text = explore(name, how[0], folder, *how[1:])
            states = re.search(r"(\d+) states, stored", text).group(1)
            total += 1
            print("%s %s: %s states, %d errors" % ("ok" if good(text) else "not ok", name, states, errors(text)))
            if not good(text):
                wrong += 1
                print(text)
    finally:
        shutil.rmtree(folder)
    print("%d searches, %d wrong" % (total, wrong))
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
