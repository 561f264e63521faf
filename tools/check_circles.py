#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Circles between source files: check_circles.py [--root DIR] [--allowed FILE] [BUILD]

Two files form a circle when each needs the other, directly or through more files. There are two kinds:

- an include circle: each header includes the other;
- a link circle: each file uses a symbol that the other defines. The symbols come from the objects of BUILD, a
  build folder; without BUILD only include circles are searched for.

A dispatcher may know its handlers, and they may know it. The allowed list (tools/circles.allowed) says which
files are dispatchers, one a line, with the reason:

    DISPATCHER -> HANDLER HANDLER ...  # REASON

Names are paths below the root; a handler may be a pattern (src/cli/*.c). The uses of a handler by its dispatcher
then count no more, and no circle may remain. Prints each circle with what ties it. An allowance that no circle
needs is an error too. Exit status: 0 no circle, 1 circles or allowances without use, 2 usage."""
import argparse
import fnmatch
import pathlib
import re
import subprocess
import sys
from collections import defaultdict

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<(godwit/[^>]+)>)', re.M)


def strong_components(graph):
    """The circles of a graph {node: {node: ties}}: each a sorted list of at least two nodes (Tarjan's
    algorithm, with a stack of its own so that the depth of a graph does not matter)."""
    index, low, stack, on_stack, circles = {}, {}, [], set(), []
    for root in sorted(graph):
        if root in index:
            continue
        work = [(root, iter(sorted(graph[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, following = work[-1]
            child = next(following, None)
            if child is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    circle = []
                    while not circle or circle[-1] != node:
                        circle.append(stack.pop())
                        on_stack.discard(circle[-1])
                    if len(circle) > 1:
                        circles.append(sorted(circle))
            elif child not in index:
                index[child] = low[child] = len(index)
                stack.append(child)
                on_stack.add(child)
                work.append((child, iter(sorted(graph.get(child, ())))))
            elif child in on_stack:
                low[node] = min(low[node], index[child])
    return circles


def sources(root):
    return sorted(str(path.relative_to(root)) for folder in ("src", "include")
                  for path in (root / folder).rglob("*.[ch]"))


def include_graph(root, files):
    """File -> file -> "#include" where the first includes the second."""
    known, graph = set(files), defaultdict(lambda: defaultdict(set))
    for file in files:
        for quoted, public in INCLUDE.findall((root / file).read_text(encoding="utf-8")):
            beside = str(pathlib.Path(file).parent / quoted)
            # src/cli is on the include path of its own files.
            places = ["include/" + public] if public else ["src/" + quoted, beside, "src/cli/" + quoted]
            target = next((place for place in places if place in known), None)
            if target:
                graph[file][target].add("#include")
    return graph


def programs(build):
    """What is linked on its own, as lists of arguments for nm: the library, the command, the helpers."""
    found = [[str(build / "libgodwit.a")]]
    for folder in sorted(build.glob("*.p")) + sorted(build.glob("src/**/*.p")):
        objects = sorted(str(path) for path in folder.glob("*.o"))
        if not folder.name.startswith("libgodwit.") and objects:
            found.append(objects)
    return found


def source_of(name, files):
    """The source of an object: Meson names it after the path, with _ in the place of /."""
    flat = pathlib.Path(name).name.removesuffix(".o")
    matches = [file for file in files if ("/" + file).replace("/", "_").endswith("_" + flat)]
    return matches[0] if len(matches) == 1 else None


def link_graph(build, files):
    """File -> file -> the symbols of the second that the first uses."""
    library, graph = {}, defaultdict(lambda: defaultdict(set))
    for arguments in programs(build):
        own, uses = {}, []
        listing = subprocess.run(["nm", "-A", *arguments], check=True, capture_output=True, text=True)
        for line in listing.stdout.splitlines():
            place, _, rest = line.rpartition(":")
            kind, symbol = rest.split()[-2:]
            file = source_of(place.split(":")[-1], files)
            if not file:
                sys.exit(f"check_circles: no one source of {place}")
            if kind in "TDBRVWC":
                own[symbol] = file
            elif kind == "U":
                uses.append((file, symbol))
        for file, symbol in uses:
            definer = own.get(symbol, library.get(symbol))
            if definer and definer != file:
                graph[file][definer].add(symbol)
        library = library or own
    return graph


class Allowance:
    def __init__(self, line):
        rule, _, self.reason = (part.strip() for part in line.partition("#"))
        self.dispatcher, arrow, handlers = (part.strip() for part in rule.partition("->"))
        self.handlers, self.needed = handlers.split(), False
        if not (arrow and self.handlers and self.reason):
            sys.exit(f"check_circles: '{line}' is not DISPATCHER -> HANDLER... # REASON")

    def allows(self, user, used):
        return user == self.dispatcher and any(fnmatch.fnmatchcase(used, handler) for handler in self.handlers)


def without(graph, allowances):
    return {user: {used: ties for used, ties in targets.items()
                   if not any(allowance.allows(user, used) for allowance in allowances)}
            for user, targets in graph.items()}


def report(kind, graph, circle):
    print(f"{kind} circle: " + ", ".join(circle))
    for user in circle:
        for used in sorted(set(graph.get(user, ())) & set(circle)):
            print(f"  {user} -> {used}: " + ", ".join(sorted(graph[user][used])))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--allowed", type=pathlib.Path, default=pathlib.Path(__file__).parent / "circles.allowed")
    parser.add_argument("build", type=pathlib.Path, nargs="?")
    args = parser.parse_args()
    lines = args.allowed.read_text(encoding="utf-8").splitlines() if args.allowed.exists() else []
    allowances = [Allowance(line) for line in lines if line.strip() and not line.startswith("#")]
    files, status = sources(args.root), 0
    graphs = [("include", include_graph(args.root, files))]
    if args.build:
        graphs.append(("link", link_graph(args.build, files)))
    for kind, graph in graphs:
        strict = without(graph, allowances)
        for circle in strong_components(strict):
            status = 1
            report(kind, strict, circle)
        # Needed is an allowance without which there would be more circles, or larger ones.
        for allowance in allowances:
            others = [other for other in allowances if other is not allowance]
            if strong_components(without(graph, others)) != strong_components(strict):
                allowance.needed = True
    for allowance in allowances:
        if args.build and not allowance.needed:
            status = 1
            print(f"{args.allowed.name}: no circle needs {allowance.dispatcher} -> {' '.join(allowance.handlers)}")
    sys.exit(status)


if __name__ == "__main__":
    main()
