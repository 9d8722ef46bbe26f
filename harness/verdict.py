# SPDX-License-Identifier: GPL-2.0
"""Judges what guests reported: counts, and every reason why a run failed."""

from __future__ import annotations

import dataclasses

from collections.abc import Mapping, Sequence

from boot import Boot
from suites import InKernel, Selftest
from tap import Program, Result


@dataclasses.dataclass
class Verdict:
    """The counts of one run; each problem has been counted as failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    known: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)

    def fail(self, problem: str, count: int = 1) -> None:
        """Count and remember a failure."""
        self.failed += count
        self.problems.append(problem)


def failure(result: Result, stock: bool) -> str | None:
    """Why a result is not what its kernel must show."""
    case = result.case
    if stock:
        # Not ok is what most cases are meant to be there.
        if not case:
            return "does not say what it saw"
        if case.seen != case.stock:
            return f"saw {case.seen}, declared {case.stock}"
        return None
    if not result.ok:
        return f"not ok, saw {case.seen}" if case else "not ok"
    if case and case.seen != "kept":
        return f"saw {case.seen}"
    if case and case.taken != case.given:
        return f"took {case.taken} pins and gave back {case.given}"
    return None


def judge_result(verdict: Verdict, where: str, result: Result, stock: bool) -> None:
    """Count one line of TAP."""
    what = f"{where}: {result.name}"
    if result.skip:
        verdict.fail(f"{what}: skipped, in a guest that has all it needs")
    elif reason := failure(result, stock):
        said = f" ({result.words})" if result.words else ""
        verdict.fail(f"{what}: {reason}{said}")
    else:
        verdict.passed += 1


def judge_program(verdict: Verdict, program: Program, expected: int,
                  stock: bool = False) -> None:
    """Count one program's or KUnit suite's results."""
    where, got = program.name, len(program.results)
    for result in program.results:
        judge_result(verdict, where, result, stock)
    if program.bail is not None:
        verdict.fail(f"{where}: bailed out: {program.bail}")
    if program.end is None:
        verdict.fail(f"{where}: never ended")
    elif program.end != "exit":
        detail = f" {program.code}" if program.code else ""
        verdict.fail(f"{where}: {program.end}{detail} after {program.seconds} s")
    elif program.code and not stock and all(r.ok for r in program.results):
        verdict.fail(f"{where}: exit status {program.code}")
    if program.plan is None:
        verdict.fail(f"{where}: no plan")
    elif program.plan != got:
        verdict.fail(f"{where}: planned {program.plan} cases, ran {got}")
    if got < expected:
        verdict.fail(f"{where}: {got} cases, expected {expected}", expected - got)
    elif got > expected:
        verdict.fail(f"{where}: {got} cases: set the expected {expected} to that")


def without_wanted(verdict: Verdict, lines: Sequence[str],
                   wanted: Sequence[str]) -> list[str]:
    """The reports that no test wants; each wanted one must be there, once."""
    rest = list(lines)
    for begin in wanted:
        found = next((line for line in rest if line.startswith(begin)), None)
        if found is None:
            verdict.fail(f"the kernel did not report: {begin}")
        else:
            rest.remove(found)
            verdict.passed += 1
    return rest


def judge_boot(verdict: Verdict, boot: Boot, wanted: Sequence[str] = ()) -> None:
    """Count what went wrong with the guest itself."""
    if boot.problem:
        verdict.fail(boot.problem)
    if boot.channel.kmemleak == "off":
        verdict.fail(f"kmemleak had given up ({boot.console_log})")
    for line in without_wanted(verdict, boot.reports.new, wanted):
        verdict.fail(f"the kernel reported: {line} ({boot.console_log})")
    verdict.known += len(boot.reports.known)


def reports_wanted(tests: Mapping[str, InKernel]) -> list[str]:
    """What the kernel has to report while it runs these."""
    return [test.warns for test in tests.values() if test.warns]


def judge_tests(verdict: Verdict, ran: Sequence[Program],
                tests: Mapping[str, InKernel]) -> None:
    """Count what the kernel's own tests reported; these must all be there."""
    by_name = {program.name: program for program in ran}
    for name in dict.fromkeys([*tests, *by_name]):
        expected = tests[name].cases if name in tests else 0
        judge_program(verdict, by_name.get(name, Program(name)), expected)


def judge_guest(boot: Boot, selftests: tuple[Selftest, ...], stock: bool) -> Verdict:
    """Judge a boot that ran selftests."""
    verdict = Verdict()
    judge_boot(verdict, boot)
    missing = [Program(selftest.name) for selftest in selftests]
    ran = boot.channel.programs
    for selftest, program in zip(selftests, ran + missing[len(ran):]):
        judge_program(verdict, program, selftest.cases, stock)
    return verdict
