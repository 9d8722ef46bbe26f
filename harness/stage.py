#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stage.py KIND: does the kernel KIND start, and do its KUnit suites pass?

A kernel of the first stages has only some of the suites, each of them whole.
Prints what is wrong; status 1 if anything is, or if there is no suite.
"""

from __future__ import annotations

import sys

import lib
from boot import boot
from suites import KUNIT
from tap import parse_ktap
from verdict import Verdict, judge_boot, judge_program


def program() -> int:
    """The command line: a kernel that has been built."""
    verdict = Verdict()
    run = boot(sys.argv[1], sys.argv[1])
    judge_boot(verdict, run)
    for suite in parse_ktap(run.console_log.read_text(errors="replace")):
        judge_program(verdict, suite, KUNIT.get(suite.name, 0))
    if not verdict.passed:
        verdict.fail("ran no test")
    print(*verdict.problems, f"{verdict.passed} KUnit cases passed", sep="\n")
    return 1 if verdict.failed else 0


if __name__ == "__main__":
    sys.exit(lib.main(program))
