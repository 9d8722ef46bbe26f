# SPDX-License-Identifier: GPL-2.0
"""Finds what the kernel reported on the console of a guest."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import lib

KNOWN = lib.HARNESS / "known-reports"

# The kernel's lines have a time stamp; what programs print has none.
KERNEL_LINE = re.compile(r"\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? (.*)")

HEADS = re.compile(
    r"BUG: |kernel BUG at |WARNING: |Kernel panic|Oops: |UBSAN: "
    r"|general protection fault|invalid opcode:|double fault"
    r"|INFO: task .* blocked for more than|rcu.*detected (?:expedited )?stalls"
    r"|rcu.*self-detected stall|INFO: trying to register non-static key"
    r"|DEBUG_LOCKS_WARN_ON|page allocation failure"
    r"|kmemleak: \d+ new suspected memory leaks")

# A trace further than this from any known head is a report of its own.
TRACE = "Call Trace:"
TRACE_REACH = 40

LEAK = re.compile(r"^unreferenced object 0x[0-9a-f]+ (\(size \d+\)):")
LEAK_FRAME = re.compile(r"^    \[<[^>]+>\] ([\w.]+)")
LEAK_FRAMES = 5

VARYING = (
    (re.compile(r"CPU: \d+ (?:UID: \d+ )?PID: \d+ "), ""),
    (re.compile(r"\+0x[0-9a-f]+/0x[0-9a-f]+"), ""),
    (re.compile(r"\b(?:0x)?[0-9a-f]{12,16}\b"), "X"),
    (re.compile(r"^watchdog: |^rcu: "), ""),
)


@dataclasses.dataclass(frozen=True)
class Reports:
    """The first lines of a console's reports."""

    new: tuple[str, ...]
    known: tuple[str, ...]


def normal(line: str) -> str:
    """A line without what differs from one run to the next."""
    for pattern, text in VARYING:
        line = pattern.sub(text, line)
    return line.strip()


def known_lines(text: str) -> frozenset[str]:
    """The first lines that the target's base is known to print."""
    entries = [line.split(" | ", 2) for line in text.splitlines()
               if line and not line.startswith("#")]
    version = lib.target_facts()["VERSION"]
    return frozenset(first for base, _, first in entries
                     if base.startswith(f"{version}."))


def kernel_heads(lines: list[str]) -> list[str]:
    """The first lines of the reports among the kernel's messages."""
    found: list[str] = []
    last = -TRACE_REACH
    for number, line in enumerate(lines):
        match = KERNEL_LINE.search(line)
        if not match or match[1].startswith("---[ end "):
            continue
        is_head = HEADS.search(match[1])
        if is_head or (TRACE in match[1] and number - last >= TRACE_REACH):
            found.append(normal(match[1]))
            last = number
    return found


def leaks(lines: list[str]) -> list[str]:
    """kmemleak's objects: each by its size and where it was allocated."""
    found: list[str] = []
    for number, line in enumerate(lines):
        match = LEAK.match(line)
        if not match:
            continue
        frames: list[str] = []
        for follower in lines[number + 1:number + 40]:
            if LEAK.match(follower):
                break
            frames += LEAK_FRAME.findall(follower)
        found.append(f"unreferenced object {match[1]}: "
                     + " < ".join(frames[:LEAK_FRAMES]))
    return found


def find(console: str) -> Reports:
    """Every report of a console log, the base's own apart from the others."""
    lines = console.splitlines()
    objects = leaks(lines)
    heads = kernel_heads(lines)
    if objects:
        heads = [head for head in heads if not head.startswith("kmemleak: ")]
    known = known_lines(KNOWN.read_text())
    found = heads + objects
    return Reports(tuple(line for line in found if line not in known),
                   tuple(line for line in found if line in known))
