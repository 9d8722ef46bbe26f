#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""fsmatrix.py [NAME...]: direct I/O on real file systems, a row for each.

Makes each file system of harness/fs, or the named ones, in a guest on the
stock and on the patched kernel, runs dio_fs on it, and prints what was seen as
a Markdown table. The table is also in build/<target>/fsmatrix.md, and with all
cases in build/<target>/fsmatrix.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence

import filesystems
import lib
import reports
from boot import Boot, boot
from filesystems import FileSystem
from suites import Selftest, forks_on, on_file_system
from tap import Program
from verdict import Verdict, judge_program

KINDS = ("stock", "patched")
# dio_fs's groups of cases: the table's columns.
GROUPS = ("format", "mount", "read", "write", "async", "fork", "splice", "holes",
          "end", "extend", "mmap", "remount", "check")
HEAD = ("file system", "direct I/O by", "format", "mount", "read", "write", "async",
        "fork, stock", "fork, patched", "splice", "holes", "end", "extend", "mmap",
        "remount", "check", "pins", "reports")
BEGIN = "harness: begin "


@dataclasses.dataclass
class Row:
    """What one kernel showed on one file system."""

    program: Program
    reports: reports.Reports
    verdict: Verdict

    def group(self, name: str, stock: bool = False) -> str:
        """The table's cell for a group of cases."""
        results = [result for result in self.program.results if result.group == name]
        if not results:
            return "-"
        if stock:
            lost = sum(result.case.seen == "lost" for result in results if result.case)
            return f"{lost} of {len(results)} lost"
        good = sum(result.ok for result in results)
        return "ok" if good == len(results) else f"**{good} of {len(results)}**"

    def pins(self) -> str:
        """What was taken and given back in all."""
        cases = [result.case for result in self.program.results if result.case]
        taken, given = (sum(getattr(case, what) for case in cases)
                        for what in ("taken", "given"))
        return f"{taken}" if taken == given else f"**+{taken} -{given}**"


def console_of(run: Boot, name: str) -> str:
    """What the kernel said while one program ran."""
    pieces = run.console_log.read_text(errors="replace").split(BEGIN)
    return "".join(piece for piece in pieces[1:]
                   if piece.split("\n", 1)[0].strip() == name)


def judge(run: Boot, program: Program, expected: Selftest, stock: bool) -> Row:
    """One row of one kernel."""
    verdict = Verdict()
    judge_program(verdict, program, expected.cases, stock)
    said = reports.find(console_of(run, program.name))
    for line in said.new:
        verdict.fail(f"{program.name}: the kernel reported: {line} ({run.console_log})")
    return Row(program, said, verdict)


def run_kind(kind: str, systems: Sequence[FileSystem]) -> dict[str, Row]:
    """All rows of one kernel. Where a guest ends early, another goes on."""
    waiting, rows = list(systems), {}
    program = forks_on if kind == "stock" else on_file_system
    while waiting:
        plan = [program(system) for system in waiting]
        run = boot(kind, f"fsmatrix-{kind}-{len(rows)}",
                   [(item.name, item.seconds) for item in plan], modules=True)
        ran = {program.name: program for program in run.channel.programs}
        if not ran:
            lib.die(f"{run.problem or 'the guest ran nothing'}")
        for system, expected in zip(list(waiting), plan):
            if expected.name in ran:
                rows[system.name] = judge(run, ran[expected.name], expected,
                                          kind == "stock")
                waiting.remove(system)
    return rows


def cells(system: FileSystem, stock: Row, patched: Row) -> tuple[str, ...]:
    """One line of the table."""
    by_group = {name: patched.group(name) for name in GROUPS}
    fork = by_group.pop("fork")
    middle = list(by_group.values())
    middle[5:5] = [stock.group("fork", stock=True), fork]
    said = str(len(patched.reports.new)) if patched.reports.new else "none"
    return (system.name, system.direct, *middle, patched.pins(), said)


def table(systems: Sequence[FileSystem], rows: dict[str, dict[str, Row]]) -> str:
    """All that was seen, as Markdown."""
    lines = [HEAD, tuple("-" * len(head) for head in HEAD)]
    lines += [cells(system, *(rows[kind][system.name] for kind in KINDS))
              for system in systems]
    notes = [f"- {system.name}: {', '.join(filter(None, (system.about, system.note)))}"
             for system in systems if system.about or system.note]
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + [""] + notes)


def details(rows: dict[str, dict[str, Row]]) -> dict[str, object]:
    """All cases, for programs."""
    return {kind: {name: {
        "results": [dataclasses.asdict(result) for result in row.program.results],
        "reports": row.reports.new,
        "known reports": row.reports.known,
        "end": row.program.end,
        "seconds": row.program.seconds,
        "problems": row.verdict.problems,
    } for name, row in by_name.items()} for kind, by_name in rows.items()}


def program() -> int:
    """Build, boot, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*")
    systems = filesystems.named(parser.parse_args().name)
    if not lib.target_facts()["FILE_SYSTEMS"]:
        lib.die(f"{lib.TARGET} is not tested on file systems; TARGET=6.1 is")
    rows = {}
    for kind in KINDS:
        status = subprocess.run([lib.HARNESS / "build.sh", kind, "modules"]).returncode
        if status:
            return status
    for kind in KINDS:
        lib.note(f"{len(systems)} file systems on the {kind} kernel")
        rows[kind] = run_kind(kind, systems)
    text = table(systems, rows)
    (lib.OUT / "fsmatrix.md").write_text(text + "\n")
    (lib.OUT / "fsmatrix.json").write_text(json.dumps(details(rows), indent=1) + "\n")
    problems = [f"{kind}: {problem}" for kind, by_name in rows.items()
                for row in by_name.values() for problem in row.verdict.problems]
    print("", text, "", *problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(lib.main(program))
