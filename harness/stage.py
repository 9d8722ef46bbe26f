#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stage.py KIND STAGE: does the kernel KIND of this stage start, without a
report, and do the tests pass that it has by then?

Prints what is wrong; status 1 if anything is. The last line says what was seen.
"""

from __future__ import annotations

import sys

import lib
from boot import boot
from suites import HERE
from tap import parse_ktap
from verdict import Verdict, judge_boot, judge_tests, reports_wanted


def program() -> int:
    """The command line: a kernel that has been built, and its stage."""
    kind, stage = sys.argv[1], int(sys.argv[2])
    tests = {name: test for name, test in HERE.in_kernel.items() if test.stage <= stage}
    verdict = Verdict()
    run = boot(kind, kind)
    judge_boot(verdict, run, reports_wanted(tests))
    judge_tests(verdict, parse_ktap(run.console_log.read_text(errors="replace")), tests)
    seen = (f"{verdict.passed} of the kernel's own tests passed" if tests
            else "with no tests of its own by then")
    print(*verdict.problems, seen, sep="\n")
    return 1 if verdict.failed else 0


if __name__ == "__main__":
    sys.exit(lib.main(program))
