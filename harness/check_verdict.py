#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks that what can go wrong in a guest fails a run: each case is what a
guest could have said, and what must be found wrong with it."""

from __future__ import annotations

import pathlib
import sys

import lib
import reports
import tap
from boot import Boot
from fsmatrix import Row
from suites import InKernel, Selftest
from verdict import Verdict, judge_boot, judge_guest, judge_tests

PROGRAM = Selftest("p", 2, 60)

CASE = "# case: {} | stock lost | seen {} | pins +{} -{}\n"
GOOD = ("TAP version 13\n1..2\n" + CASE.format("a", "kept", 3, 3) + "ok 1 a\n"
        + CASE.format("b", "kept", 0, 0) + "ok 2 b\n# Totals: pass:2\n")
LOST = GOOD.replace("kept", "lost").replace("ok ", "not ok ")


def port(text: str, end: str = "exit:0", rest: str = "harness: done\n") -> str:
    """What comes through the port when a program says `text`."""
    return f"harness: start\nharness: begin p\n{text}harness: end p {end} 7\n{rest}"


# What the port says, and what must be wrong on the patched kernel.
PATCHED: dict[str, tuple[str, str | None]] = {
    "all well": (port(GOOD), None),
    "lost": (port(GOOD.replace("kept", "lost", 1)), "saw lost"),
    "not ok": (port(GOOD.replace("ok 2", "not ok 2")), "not ok"),
    "not ok, with words": (port(GOOD.replace("ok 2", "# open: none\nnot ok 2")),
                           "b: not ok, saw kept (open: none)"),
    "a pin that stays": (port(GOOD.replace("+3 -3", "+3 -2")), "gave back 2"),
    "a skip": (port(GOOD.replace("ok 2 b", "ok 2 # SKIP b: none")), "b: none: skipped"),
    "fewer than expected": (port("1..1\nok 1 a\n"), "1 cases, expected 2"),
    "more than expected": (port(GOOD.replace("1..2", "1..3") + "ok 3 c\n"), "set the"),
    "fewer than planned": (port(GOOD.replace("1..2", "1..3")), "planned 3"),
    "no plan": (port(GOOD.replace("1..2\n", "")), "no plan"),
    "nothing": (port(""), "0 cases, expected 2"),
    "a bail-out": (port(GOOD + "Bail out! no memory\n"), "bailed out: no memory"),
    "a bad status": (port(GOOD, "exit:3"), "exit status 3"),
    "a signal": (port(GOOD, "signal:11"), "signal 11"),
    "a time-out": (port(GOOD, "timeout"), "timeout after 7 s"),
    "a missing program": (port("", "missing"), "missing"),
    "a program that never ended": ("harness: start\nharness: begin p\n" + GOOD,
                                   "never ended"),
    "kmemleak off": (port(GOOD, rest="harness: kmemleak off\nharness: done\n"),
                     "kmemleak"),
}

# The same for the stock kernel, where every case is declared lost.
STOCK: dict[str, tuple[str, str | None]] = {
    "all lost": (port(LOST, "exit:1"), None),
    "one kept": (port(LOST.replace("lost | pins +0", "kept | pins +0"), "exit:1"),
                 "saw kept, declared lost"),
    "an error": (port(LOST.replace("seen lost", "seen error", 1), "exit:1"),
                 "saw error, declared lost"),
    "no word on a case": (port("1..2\nnot ok 1 a\nnot ok 2 b\n", "exit:1"),
                          "does not say"),
}

# Console lines, and the first line of the report that must be found.
CONSOLE: dict[str, tuple[str, str | None]] = {
    "a quiet console": ("[    1.000000] Run /init as init process", None),
    "a tool's warning": ("mkfs: WARNING: small", None),
    "WARN": ("[   1.000000][  T7] WARNING: CPU: 1 PID: 7 at mm/gup.c:1 f+0x1/0x2",
             "WARNING: at mm/gup.c:1 f"),
    "BUG": ("[    1.000000] kernel BUG at mm/gup.c:1!", "kernel BUG at"),
    "KASAN": ("[    1.000000] BUG: KASAN: use-after-free in f+0x1/0x2", "BUG: KASAN"),
    "lockdep": ("[    1.000000] WARNING: possible circular locking dependency detected",
                "WARNING: possible circular"),
    "atomic sleep": ("[    1.000000] BUG: sleeping function called from invalid "
                     "context at mm/gup.c:1", "BUG: sleeping"),
    "list": ("[    1.000000] list_del corruption\n"
             "[    1.000000] kernel BUG at lib/list_debug.c:1!", "kernel BUG at"),
    "hung task": ("[    1.000000] INFO: task p:7 blocked for more than 240 seconds.",
                  "INFO: task"),
    "stall": ("[    1.000000] rcu: INFO: rcu_sched self-detected stall on CPU",
              "INFO: rcu_sched"),
    "panic": ("[    1.000000] Kernel panic - not syncing: x", "Kernel panic"),
    "an unknown trace": ("[    1.000000] something\n[    1.000000] Call Trace:",
                         "Call Trace:"),
    "kmemleak": ("unreferenced object 0xffff888006e4a000 (size 64):\n"
                 "  backtrace:\n    [<0000000012345678>] kmalloc+0x1/0x2\n"
                 "    [<0000000012345679>] f+0x1/0x2",
                 "unreferenced object (size 64): kmalloc < f"),
}

# What a test makes the kernel say, and what is wrong with that.
SAID = "[    1.000000] WARNING: CPU: 1 PID: 7 at mm/gup.c:1 f+0x1/0x2\n"
WANTED: dict[str, tuple[str, str | None]] = {
    "as wanted": (SAID, None),
    "not at all": ("", "did not report: WARNING: at mm/gup.c:"),
    "twice": (2 * SAID, "the kernel reported: WARNING: at mm/gup.c:1 f"),
    "another one": (SAID + SAID.replace("gup", "mlock"),
                    "the kernel reported: WARNING: at mm/mlock.c:1 f"),
}

KTAP = """[    1.000000] KTAP version 1
[    1.000000] 1..1
[    1.000000]     # Subtest: s
[    1.000000]     1..2
[    1.000000]     ok 1 a
[    1.000000]         ok 1 parameter
[    1.000000]     ok 2 b
[    1.000000] ok 1 s
"""

KUNIT: dict[str, tuple[str, str | None]] = {
    "a good suite": (KTAP, None),
    "a failed case": (KTAP.replace("ok 2 b", "not ok 2 b"), "s: b: not ok"),
    "a skipped case": (KTAP.replace("ok 2 b", "ok 2 b # SKIP x"), "skipped"),
    "a suite cut off": (KTAP[:KTAP.index("[    1.000000]     ok 2")], "never ended"),
    "a failed suite": (KTAP.replace("ok 1 s", "not ok 1 s"), "exit status 1"),
    "no suite": ("", "s: 0 cases, expected 2"),
    "a suite too many": (KTAP + KTAP.replace("Subtest: s", "Subtest: t"),
                         "t: 2 cases: set the"),
}

# What dio_fs says, whether that is on stock, and the table's cells: of the forks,
# and of the pins.
FORK = "# group: fork\n"
CELLS: dict[str, tuple[str, bool, str, str]] = {
    "a good group": (port(FORK + GOOD), False, "ok", "3"),
    "a bad case": (port(FORK + GOOD.replace("ok 2", "not ok 2")), False,
                   "**1 of 2**", "3"),
    "another group": (port(GOOD), False, "-", "3"),
    "all lost on stock": (port(FORK + LOST), True, "2 of 2 lost", "3"),
    "one kept on stock": (port(FORK + LOST.replace("seen lost", "seen kept", 1)), True,
                          "1 of 2 lost", "3"),
    "a pin that stays": (port(FORK + GOOD.replace("-3", "-2")), False,
                         "ok", "**+3 -2**"),
}

# The base that showed a report, and whether this target may show it, too.
KNOWN = {
    f"{lib.target_facts()['VERSION']}.1-2": True,
    "0.0.1": False,
}


def guest(text: str, console: str = "") -> Boot:
    """A run of a guest that said this."""
    return Boot(pathlib.Path("console"), tap.parse_channel(text),
                reports.find(console), 0.0, None)


def judge_console(console: str, *wanted: str) -> Verdict:
    """What is wrong with a guest that only has this console."""
    verdict = Verdict()
    judge_boot(verdict, guest("", console), wanted)
    return verdict


def judge_kunit(console: str) -> Verdict:
    """What is wrong with the one KUnit suite of this console."""
    verdict = Verdict()
    judge_tests(verdict, tap.parse_ktap(console), {"s": InKernel(2, stage=1)})
    return verdict


def cells(text: str, stock: bool) -> tuple[str, str]:
    """What the table of file systems says of this program."""
    row = Row(tap.parse_channel(text).programs[0], reports.find(""), Verdict())
    return row.group("fork", stock), row.pins()


def check(tally: lib.Tally, what: str, verdict: Verdict, wanted: str | None) -> None:
    """Was found wrong what must be, and nothing where nothing is?"""
    found = " / ".join(verdict.problems)
    if wanted is None and not verdict.failed:
        tally.ok(what)
    elif wanted is not None and verdict.failed and wanted in found:
        tally.ok(what)
    else:
        tally.fail(f"{what}: wanted {wanted!r}, found {found!r}")


def program() -> int:
    """Judge everything."""
    tally = lib.Tally()
    for what, (text, wanted) in PATCHED.items():
        check(tally, f"patched: {what}", judge_guest(guest(text), (PROGRAM,), False),
              wanted)
    for what, (text, wanted) in STOCK.items():
        check(tally, f"stock: {what}", judge_guest(guest(text), (PROGRAM,), True),
              wanted)
    for what, (text, wanted) in CONSOLE.items():
        check(tally, f"console: {what}", judge_console(text), wanted)
    for what, (text, wanted) in WANTED.items():
        check(tally, f"wanted report: {what}",
              judge_console(text, "WARNING: at mm/gup.c:"), wanted)
    for what, (text, wanted) in KUNIT.items():
        check(tally, f"KUnit: {what}", judge_kunit(text), wanted)
    for what, (text, stock, *wanted) in CELLS.items():
        found = cells(text, stock)
        tally.judge(f"table: {what}",
                    [] if found == tuple(wanted) else [f"found {found}"])
    for base, known in KNOWN.items():
        lines = reports.known_lines(f"# BASE | WHY | LINE\n{base} | why | BUG: x | y\n")
        wanted = {"BUG: x | y"} if known else set()
        tally.judge(f"known report of {base}",
                    [] if lines == wanted else [f"found {sorted(lines)}"])
    return tally.summary()


if __name__ == "__main__":
    sys.exit(lib.main(program))
