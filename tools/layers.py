#!/usr/bin/env python3
"""tools/layers.py - keeps the map of the house: who may include whom, and that every header compiles alone.

  tools/layers.py                      the include directions
  tools/layers.py --build-dir build    also compiles each header alone, with the flags of its room's own sources

A check that says no also says how to fix it. To change the map, change ROOMS below and DESIGN.md.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# room: what it may include besides itself. Nobody includes tests.
ROOMS = {
    "ipc": set(),
    "policy": set(),
    "supervisor": {"ipc", "policy"},
    "worker": {"ipc", "policy"},
    "client": {"ipc", "policy", "supervisor"},
    "examples": {"client", "ipc"},
    "tools": {"ipc", "policy", "supervisor", "worker"},
    "tests": {"ipc", "policy", "supervisor", "worker", "tools"},
}

WHY = {
    ("ipc", "policy"): "ipc and policy do not know each other; what joins them belongs to supervisor/ or worker/.",
    ("policy", "ipc"): "ipc and policy do not know each other; what joins them belongs to supervisor/ or worker/.",
    ("supervisor", "worker"): "The trusted side never includes the confined side; what both need belongs to ipc/ or policy/.",
    ("worker", "supervisor"): "The confined side never includes the trusted side; what both need belongs to ipc/ or policy/.",
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)
# Node's C interface is another matter: it knows no V8, and the client's addon stands on it.
V8_HEADER = re.compile(r"^(v8(-[a-z0-9-]+)?\.h|libplatform/.*|cppgc/.*|(?!node_api\.h)node(_[a-z_]+)?\.h)$")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path)
    args = parser.parse_args()

    files = tracked_files()
    problems = [p for f in files for p in check_directions(f)]
    checked = f"{len(files)} files include only what they may"
    if args.build_dir:
        headers = [f for f in files if f.suffix == ".h"]
        problems += check_headers_alone(headers, args.build_dir.resolve())
        checked += f", {len(headers)} headers compile alone"
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(problems)} problems" if problems else checked)
    return 1 if problems else 0


def tracked_files():
    """C++ files of the rooms, relative to the top; from git, or from the disk where there is no git."""
    try:
        names = subprocess.check_output(
            ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"],
            stderr=subprocess.DEVNULL, text=True).splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = [str(p.relative_to(ROOT)) for room in ROOMS for p in (ROOT / room).rglob("*")]
    paths = [pathlib.Path(n) for n in names]
    return sorted(p for p in paths if p.suffix in (".h", ".c++") and p.parts[0] in ROOMS and (ROOT / p).is_file())


def check_directions(path):
    room = path.parts[0]
    text = (ROOT / path).read_text(errors="replace")
    for match in INCLUDE.finditer(text):
        kind, target = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        there = f"{path}:{line}: includes {target}"
        other = target.split("/")[0]
        if other in ROOMS and "/" in target:
            if other != room and other not in ROOMS[room]:
                allowed = ", ".join(sorted(ROOMS[room])) or "no other room"
                why = WHY.get((room, other), f"{room}/ may include: {allowed}.")
                yield f"{there}\n  {why} Move the shared part, or turn the dependency round."
        elif target.startswith(".") or (kind == '"' and "/" not in target and (ROOT / path.parent / target).exists()):
            yield f"{there}\n  Paths start at the top of the tree: write \"{path.parent}/{target.lstrip('./')}\"."
        if V8_HEADER.match(target) and room != "worker":
            yield f"{there}\n  V8's headers stay in worker/. What others need to know of V8 crosses as ipc/value-graph.h or a schema."


# -- Headers alone --------------------------------------------------------------------------------------------------


def check_headers_alone(headers, build):
    commands = json.loads((build / "compile_commands.json").read_text())
    flags = {}   # folder: flags of one of its sources; the most specific folder wins
    for entry in commands:
        source = pathlib.Path(os.path.normpath(os.path.join(entry["directory"], entry["file"])))
        # Generated code stands in the build directory as it would in the tree, and its flags serve as well.
        top = build if source.is_relative_to(build) else ROOT
        if not source.is_relative_to(top):
            continue
        folder = source.relative_to(top).parent
        flags.setdefault(folder, (entry["directory"], compile_flags(entry["command"])))

    def check(header):
        folder = header.parent
        while folder not in flags and folder != folder.parent:
            folder = folder.parent
        if folder not in flags:
            # A room of headers only, or one that is not built here: any source of the tree knows the common flags.
            folder = next(iter(flags), None)
        if folder is None:
            return f"{header}: nothing was compiled in {build}; build first (tools/dev build)"
        directory, arguments = flags[folder]
        result = subprocess.run(
            arguments + ["-fsyntax-only", "-x", "c++", "-"], input=f'#include "{header}"\n#include "{header}"\n',
            cwd=directory, text=True, capture_output=True)
        if result.returncode == 0:
            return None
        words = "\n".join("  " + line for line in result.stderr.splitlines()[:8])
        return f"{header}: does not compile alone\n{words}\n  Include in it what it uses, and start it with #pragma once."

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [problem for problem in pool.map(check, headers) if problem]


def compile_flags(command):
    """The compiler and its language, include and define flags; nothing about outputs, dependencies or optimisation."""
    words = shlex.split(command)
    kept = []
    while words and not words[0].startswith("-"):
        kept.append(words.pop(0))   # `ccache g++` has two words
    take_next = False
    for word in words:
        if take_next:
            kept.append(word)
            take_next = False
        elif word in ("-I", "-isystem", "-idirafter", "-D", "-include"):
            kept.append(word)
            take_next = True
        elif re.match(r"-(I|isystem|D|std=|f(no-)?rtti|f(no-)?exceptions|pthread)", word):
            kept.append(word)
    return kept


if __name__ == "__main__":
    sys.exit(main())
