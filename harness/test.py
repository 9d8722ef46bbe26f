#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs the suites, all or the named ones, and counts; see suites.py."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time

import lib
from boot import boot
from suites import GROUPS, SUITES, TEXT, Command, Guest, Kunit
from tap import Program, parse_ktap
from verdict import (Verdict, judge_boot, judge_guest, judge_tests,
                     reports_wanted)

COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")


def run_command(suite: Command) -> Verdict:
    """A command's own counts, from its last line."""
    verdict = Verdict()
    log = lib.LOGS / f"suite-{suite.name}.log"
    # timeout(1) ends all that the command started, not only the command.
    command = ["timeout", "-k", "10", f"{suite.minutes}m", *suite.argv]
    status = lib.step(suite.name, log, command, cwd=lib.ROOT)
    lines = log.read_text(errors="replace").splitlines()
    match = COUNTS.match(lines[-1]) if lines else None
    if not match:
        verdict.fail(f"ended with status {status} and no counts; the log: {log}")
        return verdict
    verdict.passed, verdict.failed, verdict.skipped = map(int, match.groups())
    verdict.problems += [line for line in lines if "] FAIL  " in line]
    if status and not verdict.failed:
        verdict.fail(f"ended with status {status}; the log: {log}")
    ran = verdict.passed + verdict.failed + verdict.skipped
    if ran < suite.cases:
        verdict.fail(f"{ran} cases, expected {suite.cases}", suite.cases - ran)
    return verdict


def built(suite: Guest | Kunit, verdict: Verdict) -> bool:
    """Build what the suite boots."""
    command = [lib.HARNESS / "build.sh", suite.kernel]
    if isinstance(suite, Guest) and suite.modules:
        command.append("modules")
    if subprocess.run(command).returncode == 0:
        return True
    verdict.fail(f"the {suite.kernel} kernel or its guest was not built")
    return False


def keep_tap(suite: str, programs: list[Program]) -> None:
    """Every program's report in a file of its own."""
    for number, program in enumerate(programs, start=1):
        (lib.LOGS / f"{suite}-{number}-{program.name}.tap").write_text(program.text)


def run_guest(suite: Guest) -> Verdict:
    """Boot, run the selftests, judge."""
    if not built(suite, verdict := Verdict()):
        return verdict
    run = boot(suite.kernel, suite.name,
               [(selftest.name, selftest.seconds) for selftest in suite.selftests],
               suite.modules)
    keep_tap(suite.name, run.channel.programs)
    return judge_guest(run, suite.selftests, suite.kernel == "stock")


def run_kunit(suite: Kunit) -> Verdict:
    """Boot a kernel that tests itself, judge its console."""
    if not built(suite, verdict := Verdict()):
        return verdict
    run = boot(suite.kernel, suite.name)
    judge_boot(verdict, run, reports_wanted(suite.tests))
    ran = parse_ktap(run.console_log.read_text(errors="replace"))
    keep_tap(suite.name, ran)
    judge_tests(verdict, ran, suite.tests)
    return verdict


def run_suite(suite: Command | Guest | Kunit) -> Verdict:
    """Run one suite and say how it went, and how long it took."""
    since = time.monotonic()
    match suite:
        case Command():
            verdict = run_command(suite)
        case Guest():
            verdict = run_guest(suite)
        case Kunit():
            verdict = run_kunit(suite)
    if not verdict.passed and not verdict.failed:
        verdict.fail("ran no test")
    for problem in verdict.problems:
        lib.note(f"FAIL  {suite.name}: {problem}")
    known = f", {verdict.known} known reports of the base" if verdict.known else ""
    spent = lib.elapsed(time.monotonic() - since)
    lib.note(f"{'FAIL' if verdict.failed else 'ok':5} {suite.name}: "
             f"{verdict.passed} passed, {verdict.failed} failed, "
             f"{verdict.skipped} skipped{known}; {spent} of {suite.minutes}:00")
    return verdict


def chosen(names: list[str], full: bool) -> list[Command | Guest | Kunit]:
    """The named suites, in the table's order; all that fit if none is named."""
    by_name = {suite.name: suite for suite in SUITES}
    wanted = [part for name in names for part in GROUPS.get(name, (name,))]
    for name in wanted:
        if name not in by_name:
            lib.die(f"no suite '{name}'; there is: {' '.join([*by_name, *GROUPS])}")
    if names:
        return [suite for suite in SUITES if suite.name in wanted]
    if not lib.has_source():
        return [TEXT]
    return [suite for suite in SUITES if full or not suite.full]


def note_not_run() -> None:
    """Say what a green run says nothing about."""
    if not lib.has_source():
        lib.note(f"{lib.TARGET}: NOT RUN, only checked as text; "
                 "KERNEL_SRC= names its source")
        return
    for path in sorted((lib.HARNESS / "targets").iterdir()):
        if path.name != lib.TARGET:
            lib.note(f"{path.name}: NOT RUN, only checked as text")


def program() -> int:
    """Run the suites and sum up; the sum is alone on the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", nargs="*")
    parser.add_argument("--full", action="store_true",
                        help="also what does not fit into the time of a test")
    arguments = parser.parse_args()
    verdicts = [run_suite(suite)
                for suite in chosen(arguments.suite, arguments.full)]
    passed, failed, skipped = (
        sum(getattr(verdict, what) for verdict in verdicts)
        for what in ("passed", "failed", "skipped"))
    if not arguments.suite:
        note_not_run()
    if len(verdicts) > 1:
        # Again, where whoever sees only the end of a long log finds it.
        for problem in (problem for verdict in verdicts
                        for problem in verdict.problems):
            lib.note(f"FAIL  {problem}")
    known = sum(verdict.known for verdict in verdicts)
    lib.note(f"known reports of the base, not counted as failed: {known}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(lib.main(program))
