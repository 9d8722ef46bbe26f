#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""new_reports.py BEFORE AFTER: what compilers say in one log and not the other.

Both are logs of kernel builds. Line numbers do not count, as edits move them;
how often a report comes does. Prints the new reports; status 1 if there are any.
"""

from __future__ import annotations

import pathlib
import re
import sys
from collections import Counter

import lib

REPORT = re.compile(r"(\S+?\.[chS]):(?:\d+:)*\s*((?:warning|error): .*)")
# The tree, by its own name or by the compiler wrapper's for any tree.
TREE = re.compile(r"(?:.*/)?(?:step|source)/")


def reports(log: pathlib.Path) -> Counter[str]:
    """The reports of a log: path within the tree, and text."""
    found: Counter[str] = Counter()
    for line in log.read_text(errors="replace").splitlines():
        match = REPORT.match(line)
        if match:
            found[f"{TREE.sub('', match[1], count=1)}: {match[2]}"] += 1
    return found


def program() -> int:
    """The command line: two logs of builds of the tree 'step'."""
    before, after = (reports(pathlib.Path(name)) for name in sys.argv[1:3])
    new = list((after - before).elements())
    print(*(f"  {report}" for report in new), sep="\n", end="\n" if new else "")
    return 1 if new else 0


if __name__ == "__main__":
    lib.main(program)
