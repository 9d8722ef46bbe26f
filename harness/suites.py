# SPDX-License-Identifier: GPL-2.0
"""The suites of `make test`, in order, and how many cases each must have.

Every count that the harness knows stands here. A suite with fewer cases has
failed; one with more is told to change its count.
"""

from __future__ import annotations

import dataclasses

import filesystems
import lib


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
    # Does it need the kernel's modules, and the tools for file systems?
    modules: bool = False


@dataclasses.dataclass(frozen=True)
class InKernel:
    """A suite that the kernel brings, and runs when it starts."""

    cases: int
    # The stage of the series that brings it, whole.
    stage: int
    # What the kernel has to say once while it runs, as the report begins.
    warns: str = ""


@dataclasses.dataclass(frozen=True)
class Kunit:
    """A suite that is a kernel which tests itself when it starts."""

    name: str
    kernel: str
    tests: dict[str, InKernel]
    minutes: int
    full: bool = False


@dataclasses.dataclass(frozen=True)
class Counts:
    """What differs from target to target."""

    static: int
    patch_by_patch: int
    # More patches, and more of them in headers that all files read, take longer.
    patch_by_patch_minutes: int
    selftests: dict[str, int]
    # KUnit's suites, or what reports as they do.
    in_kernel: dict[str, InKernel]
    # The series as text alone; only where no package brings the source.
    text: int = 0


COUNTS = {
    "6.1": Counts(
        static=643, patch_by_patch=281, patch_by_patch_minutes=50,
        selftests={"dio_fork": 104, "dio_move": 22, "dio_socket": 38,
                   "dio_splice": 119, "dio_user": 152},
        in_kernel={
            "gup_pin": InKernel(27, stage=1),
            "iov_iter_extract": InKernel(48, stage=3),
            "bio_pages": InKernel(41, stage=4),
            "iblock": InKernel(5, stage=5),
            "iov_iter_get_pages": InKernel(6, stage=7,
                                           warns="WARNING: at lib/iov_iter.c:"),
        }),
    "5.4": Counts(
        static=399, patch_by_patch=102, patch_by_patch_minutes=75, text=89,
        selftests={"dio_fork": 104, "dio_move": 22, "dio_splice": 119, "dio_user": 152},
        in_kernel={
            "gup_pin": InKernel(40, stage=8),
            "iov_iter_extract": InKernel(32, stage=8),
            "bio_pages": InKernel(38, stage=8),
        }),
}
if lib.TARGET not in COUNTS:
    lib.die(f"no counts for the target '{lib.TARGET}' in harness/suites.py")
HERE = COUNTS[lib.TARGET]

# How long each program may take on the debugging kernel, emulated.
SECONDS = {"dio_fork": 300, "dio_move": 300, "dio_socket": 300, "dio_splice": 300,
           "dio_user": 600}

SELFTESTS = tuple(Selftest(name, cases, SECONDS[name])
                  for name, cases in HERE.selftests.items())
# The reproducer
FORK = SELFTESTS[0]
# What also runs on the stock kernel: every case says what that shows.
ON_STOCK = tuple(test for test in SELFTESTS
                 if test.name in ("dio_fork", "dio_socket"))


def on_file_system(system: filesystems.FileSystem) -> Selftest:
    """dio_fs on one of the file systems that the harness describes."""
    return Selftest(f"fs@{system.name}", system.cases, system.seconds)


def forks_on(system: filesystems.FileSystem) -> Selftest:
    """Only what differs on a stock kernel."""
    return Selftest(f"fs@{system.name}+fork", system.forks, system.seconds)


# Every file system that the harness describes.
SYSTEMS = filesystems.load() if lib.target_facts()["FILE_SYSTEMS"] else []
FORKS_ON_ALL = tuple(forks_on(system) for system in SYSTEMS)
ON_ALL = tuple(on_file_system(system) for system in SYSTEMS)

# All that can be done without the kernel's source.
TEXT = Command("text", ("harness/check.sh", "--text"), HERE.text, 5)

ALL_SUITES: tuple[Command | Guest | Kunit, ...] = (
    Command("static", ("harness/check.sh",), HERE.static, 5),
    Command("verdicts", ("harness/check_verdict.py",), 54, 1),
    Command("round-trip", ("harness/roundtrip.sh",), 1, 5),
    Guest("fork-stock", "stock", ON_STOCK, 10),
    Guest("selftests-plain", "patched", SELFTESTS, 12),
    Guest("selftests-debug", "debug", SELFTESTS, 20),
    Kunit("kunit", "kunit", HERE.in_kernel, 8),
    Guest("file-systems-stock", "stock", FORKS_ON_ALL, 8, modules=True),
    Guest("file-systems", "patched", ON_ALL, 14, modules=True),
    Command("patch-by-patch", ("harness/bypatch.sh",), HERE.patch_by_patch,
            HERE.patch_by_patch_minutes),
    # Only with --full: what takes long, and what fails seldom.
    Guest("selftests-rounds", "debug", SELFTESTS * 5, 60, full=True),
    Guest("file-systems-debug", "debug", ON_ALL, 30, full=True, modules=True),
)

# Those that there is something to do in.
SUITES = tuple(suite for suite in ALL_SUITES
               if not isinstance(suite, Guest) or suite.selftests)

# What else may be named on the command line: several suites at once.
GROUPS = {
    "selftest": ("selftests-plain", "selftests-debug"),
}
