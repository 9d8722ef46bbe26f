# SPDX-License-Identifier: GPL-2.0
"""The suites of `make test`, in order, and how many cases each must have.

Every count that the harness knows stands here. A suite with fewer cases has
failed; one with more is told to change its count.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Selftest:
    """A program in tools/testing/selftests/mm."""

    name: str
    cases: int
    # How long it may take on the debugging kernel, emulated.
    seconds: int


@dataclasses.dataclass(frozen=True)
class Command:
    """A suite that is a command; its last line has the counts."""

    name: str
    argv: tuple[str, ...]
    cases: int
    minutes: int
    full: bool = False


@dataclasses.dataclass(frozen=True)
class Guest:
    """A suite that is a kernel with programs to run on it."""

    name: str
    kernel: str
    selftests: tuple[Selftest, ...]
    minutes: int
    full: bool = False


@dataclasses.dataclass(frozen=True)
class Kunit:
    """A suite that is a kernel which tests itself when it starts."""

    name: str
    kernel: str
    cases: dict[str, int]
    minutes: int
    full: bool = False


# The reproducer; the only program that also runs on the stock kernel.
FORK = Selftest("dio_fork", 104, 300)

SELFTESTS = (
    FORK,
    Selftest("dio_splice", 119, 300),
    Selftest("dio_user", 152, 600),
)

# KUnit suites by name.
KUNIT = {
    "gup_pin": 25,
    "iov_iter_extract": 48,
    "bio_pages": 38,
}

SUITES: tuple[Command | Guest | Kunit, ...] = (
    Command("static", ("harness/check.sh",), 267, 5),
    Command("verdicts", ("harness/check_verdict.py",), 39, 1),
    Command("round-trip", ("harness/roundtrip.sh",), 1, 5),
    Guest("fork-stock", "stock", (FORK,), 10),
    Guest("selftests-plain", "patched", SELFTESTS, 12),
    Guest("selftests-debug", "debug", SELFTESTS, 20),
    Kunit("kunit", "kunit", KUNIT, 8),
    Command("patch-by-patch", ("harness/bypatch.sh",), 81, 35),
    # Only with --full: what takes long, and what fails seldom.
    Guest("selftests-rounds", "debug", SELFTESTS * 5, 60, full=True),
)

# What else may be named on the command line: several suites at once.
GROUPS = {
    "selftest": ("selftests-plain", "selftests-debug"),
}
