# SPDX-License-Identifier: GPL-2.0
"""What every Python program of the harness shares."""

from __future__ import annotations

import errno
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

HARNESS = pathlib.Path(__file__).resolve().parent
ROOT = HARNESS.parent
TARGET = os.environ.get("TARGET") or "6.1"
OUT = ROOT / "build" / TARGET
LOGS = OUT / "log"

START = time.monotonic()
TICK_SECONDS = 30

# git as if nobody had configured it.
GIT_CONFIG = {
    "safe.directory": "*",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.hooksPath": "/dev/null",
}


def die(message: str) -> NoReturn:
    """Bad input, or nothing that can be done here: one line, status 2."""
    print(f"{pathlib.Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(2)


def elapsed(seconds: float) -> str:
    """A duration as m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def note(message: str) -> None:
    """Progress, with the time since the program began."""
    print(f"[{elapsed(time.monotonic() - START):>5}] {message}", flush=True)


def git_env() -> dict[str, str]:
    """The environment for git: nothing of the user's, nothing inherited.

    It never takes this repository for one that should be below build/.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    for i, (key, value) in enumerate(GIT_CONFIG.items()):
        kept[f"GIT_CONFIG_KEY_{i}"] = key
        kept[f"GIT_CONFIG_VALUE_{i}"] = value
    return kept | {
        "GIT_CONFIG_COUNT": str(len(GIT_CONFIG)),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(OUT),
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
    }


def target_facts() -> dict[str, str]:
    """The NAME=value lines of harness/targets/<target>."""
    facts = HARNESS / "targets" / TARGET
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", TARGET) or not facts.is_file():
        known = " ".join(sorted(p.name for p in facts.parent.iterdir()))
        die(f"no target '{TARGET}'; there is: {known}")
    lines = facts.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))


def has_source() -> bool:
    """Is there a source of the target's kernel, a package or one named?"""
    return bool(os.environ.get("KERNEL_SRC") or target_facts()["SOURCE_PACKAGE"])


def disk_full(log: pathlib.Path) -> bool:
    """Did the command that wrote this log fail for want of space?"""
    if b"No space left on device" in log.read_bytes():
        return True
    return shutil.disk_usage(log.parent).free < 1 << 20


def _last_line(log: pathlib.Path) -> str:
    """The last line of a log that is still being written."""
    lines = log.read_bytes()[-400:].decode(errors="replace").splitlines()
    return lines[-1][:80] if lines else ""


def _wait(process: subprocess.Popen[bytes], title: str, log: pathlib.Path) -> int:
    """Wait for a step, saying every half minute that it is still at it."""
    since = time.monotonic()
    while True:
        try:
            return process.wait(TICK_SECONDS)
        except subprocess.TimeoutExpired:
            note(f"  {title}: {elapsed(time.monotonic() - since)}, "
                 f"at: {_last_line(log)}")


def step(title: str, log: pathlib.Path, command: Sequence[str | os.PathLike[str]],
         cwd: pathlib.Path | None = None) -> int:
    """Run a command, all output to a log, progress to stdout.

    Returns its status; on failure the log's end and name are shown.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    since = time.monotonic()
    note(title)
    with log.open("wb") as out, subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, cwd=cwd) as process:
        status = _wait(process, title, log)
    if status == 0:
        note(f"{title}: done in {elapsed(time.monotonic() - since)}")
        return 0
    if disk_full(log):
        die(f"{title}: no space left on device; free some and start again")
    tail = log.read_text(errors="replace").splitlines()[-15:]
    print(*tail, f"{title} failed (status {status}); the log: {log}",
          sep="\n", file=sys.stderr, flush=True)
    return status


class Tally:
    """Counts results; each is one line, and the sum is the last."""

    def __init__(self) -> None:
        """Nothing has been counted yet."""
        self.passed = self.failed = self.skipped = 0

    def ok(self, what: str) -> None:
        """One more passed."""
        self.passed += 1
        note(f"ok    {what}")

    def fail(self, what: str) -> None:
        """One more failed."""
        self.failed += 1
        note(f"FAIL  {what}")

    def judge(self, what: str, faults: Sequence[str]) -> None:
        """Passed without faults; failed with some, which are shown first."""
        for fault in faults:
            print(f"  {fault}")
        if faults:
            self.fail(what)
        else:
            self.ok(what)

    def skip(self, what: str) -> None:
        """One more skipped."""
        self.skipped += 1
        note(f"skip  {what}")

    def summary(self) -> int:
        """Print the sum; the status for the program to end with."""
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped",
              flush=True)
        return 0 if self.passed and not self.failed else 1


def main(program: Callable[[], int]) -> NoReturn:
    """Run a program; a full disk and an interrupt end it with one line."""
    try:
        sys.exit(program())
    except KeyboardInterrupt:
        print(f"{pathlib.Path(sys.argv[0]).name}: interrupted", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            die(f"no space left on device ({error.filename or OUT}); "
                "free some and start again")
        raise
