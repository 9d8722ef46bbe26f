#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Builds the stock and the patched kernel, runs the reproducer on both, and
prints what each did, side by side, as a Markdown table."""

from __future__ import annotations

import subprocess
import sys
import time

import lib
from boot import Boot, boot
from suites import FORK
from tap import Case
from verdict import judge_guest

HEAD = ("case", "stock", "patched", "pins taken", "pins given back")


def build(kind: str) -> None:
    """Build a kernel and the guest; they have said what went wrong."""
    status = subprocess.run([lib.HARNESS / "build.sh", kind]).returncode
    if status:
        sys.exit(status)


def cases(run: Boot) -> dict[str, Case]:
    """The reproducer's cases, by name."""
    return {result.case.name: result.case
            for program in run.channel.programs
            for result in program.results if result.case}


def table(stock: dict[str, Case], patched: dict[str, Case]) -> str:
    """Both kernels' cases side by side."""
    rows = [HEAD]
    for name in stock | patched:
        old, new = stock.get(name), patched.get(name)
        rows.append((name, old.seen if old else "-", new.seen if new else "-",
                     str(new.taken) if new else "-",
                     str(new.given) if new else "-"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
        for row in rows)


def conclude(stock: Boot, patched: Boot) -> int:
    """Print the table and what was wrong; the exit status."""
    old, new = cases(stock), cases(patched)
    verdicts = {"stock": judge_guest(stock, (FORK,), stock=True),
                "patched": judge_guest(patched, (FORK,), stock=False)}
    print("", table(old, new), "", sep="\n")
    for kind, verdict in verdicts.items():
        for problem in verdict.problems:
            print(f"{kind}: {problem}")
    lost = [sum(case.seen == "lost" for case in side.values()) for side in (old, new)]
    known = sum(verdict.known for verdict in verdicts.values())
    spent = lib.elapsed(time.monotonic() - lib.START)
    print(f"{len(old | new)} cases; data lost: stock {lost[0]}, patched {lost[1]}; "
          f"known reports of the base: {known}; {spent}")
    return 1 if any(verdict.failed for verdict in verdicts.values()) else 0


def program() -> int:
    """Build, boot, compare."""
    for kind in ("stock", "patched"):
        build(kind)
    runs = []
    for kind in ("stock", "patched"):
        lib.note(f"run {FORK.name} on the {kind} kernel")
        runs.append(boot(kind, f"run-{kind}", ((FORK.name, FORK.seconds),)))
    return conclude(*runs)


if __name__ == "__main__":
    sys.exit(lib.main(program))
