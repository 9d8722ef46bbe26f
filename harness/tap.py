# SPDX-License-Identifier: GPL-2.0
"""Reads what programs in the guest and KUnit suites in the kernel reported."""

from __future__ import annotations

import dataclasses
import re

from reports import KERNEL_LINE

RESULT = re.compile(r"^(not )?ok\b\s*\d*\s*-?\s*(.*?)\s*(# SKIP\b.*)?$", re.IGNORECASE)
PLAN = re.compile(r"^1\.\.(\d+)")
CASE = re.compile(r"^# case: (.+?) \| stock (lost|kept) \| seen (lost|kept|error)"
                  r" \| pins \+(\d+) -(\d+)\s*$")
GROUP = re.compile(r"^# group: (\w+)")
BAIL = re.compile(r"^Bail out!\s*(.*)")
HARNESS_LINE = re.compile(r"^harness: (\w+) ?(.*)$")
END = re.compile(r"^(\S+) ([a-z]+)(?::(\d+))? (\d+)$")


@dataclasses.dataclass(frozen=True)
class Case:
    """What a program says of one case beside ok or not ok."""

    name: str
    stock: str
    seen: str
    taken: int
    given: int


@dataclasses.dataclass(frozen=True)
class Result:
    """One line of TAP."""

    name: str
    ok: bool
    skip: bool
    case: Case | None = None
    # What kind of case, where a program says so.
    group: str = ""
    # The program's own words before the line; of a failure, usually why.
    words: str = ""


@dataclasses.dataclass
class Program:
    """The whole report of one program."""

    name: str
    text: str = ""
    plan: int | None = None
    bail: str | None = None
    results: list[Result] = dataclasses.field(default_factory=list)
    # How it ended: exit, signal, timeout, stuck, missing, unstarted; and the
    # status or the signal. Nothing where the guest ended before the program.
    end: str | None = None
    code: int = 0
    seconds: int = 0


@dataclasses.dataclass
class Channel:
    """What came through the guest's port."""

    programs: list[Program]
    started: bool = False
    done: bool = False
    kmemleak: str | None = None


def parse_tap(program: Program) -> None:
    """Fill in plan and results from the program's text."""
    case: Case | None = None
    group = ""
    words: list[str] = []
    for line in program.text.splitlines():
        if match := CASE.match(line):
            case = Case(match[1], match[2], match[3], int(match[4]), int(match[5]))
        elif match := RESULT.match(line):
            # kselftest puts the name of a skipped case behind the word.
            name = match[2] or (match[3] or "")[len("# SKIP"):].strip()
            program.results.append(
                Result(name, not match[1], bool(match[3]), case, group,
                       "; ".join(words)))
            case, words = None, []
        elif match := GROUP.match(line):
            group = match[1]
        elif match := PLAN.match(line):
            program.plan = int(match[1])
        elif match := BAIL.match(line):
            program.bail = match[1]
        elif line.startswith("# "):
            words.append(line[2:].strip())


def parse_channel(text: str) -> Channel:
    """Split the port's text into programs and what PID 1 said itself."""
    channel = Channel([])
    current: Program | None = None
    for line in text.splitlines(keepends=True):
        match = HARNESS_LINE.match(line.rstrip())
        if not match:
            if current:
                current.text += line
            continue
        word, rest = match.groups()
        if word == "begin":
            current = Program(rest)
            channel.programs.append(current)
        elif word == "end" and current and (end := END.match(rest)):
            current.end, current.code = end[2], int(end[3] or 0)
            current.seconds = int(end[4])
            current = None
        elif word == "kmemleak":
            channel.kmemleak = rest
        channel.started |= word == "start"
        channel.done |= word == "done"
    for program in channel.programs:
        parse_tap(program)
    return channel


def parse_ktap(console: str) -> list[Program]:
    """The KUnit suites of a console log, each as a program.

    A suite's cases are indented once; what is indented further are the
    parameters of a case, which has a line of its own.
    """
    suites: list[Program] = []
    current: Program | None = None
    for line in console.splitlines():
        match = KERNEL_LINE.search(line)
        if not match:
            continue
        if subtest := re.match(r"^    # Subtest: (.*)$", match[1]):
            current = Program(subtest[1])
            suites.append(current)
        elif current and match[1].startswith("    "):
            current.text += match[1][4:] + "\n"
        elif current and (result := RESULT.match(match[1])):
            current.end, current.code = "exit", int(bool(result[1]))
            current = None
    for suite in suites:
        parse_tap(suite)
    return suites
