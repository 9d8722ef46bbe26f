#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Apply the joined series to somebody's kernel tree, all of it or nothing.

A git tree gets the commits on its current branch, any other tree the edits.
The series is tried in a scratch repository first, so a tree that it does not
fit is not touched at all.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import signal
import subprocess

import lib
import mailpatch
import record
import series
from git import AmError, GitError, Repo, Scratch

WHOLE = ("Kbuild", "Kconfig", "MAINTAINERS", "Makefile", "mm")


def version(tree: pathlib.Path) -> tuple[str, int]:
    """A kernel tree's VERSION.PATCHLEVEL, and its SUBLEVEL."""
    head = (tree / "Makefile").read_text(errors="replace")
    found = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL) = *(\d+)", head, re.M))
    if len(found) != 3:
        lib.die(f"{tree} is no kernel tree: its Makefile has no version")
    return f"{found['VERSION']}.{found['PATCHLEVEL']}", int(found["SUBLEVEL"])


def check_version(tree: pathlib.Path) -> str:
    """Refuse what is not this target's kernel; the whole version."""
    facts = lib.target_facts()
    missing = [name for name in WHOLE if not (tree / name).exists()]
    if missing:
        lib.die(f"KDIR={tree} is no kernel tree: it has no {missing[0]}")
    kernel, sublevel = version(tree)
    if kernel != facts["VERSION"]:
        lib.die(f"KDIR={tree} is Linux {kernel}; the target {lib.TARGET} "
                f"is for {facts['VERSION']}")
    if sublevel < int(facts["OLDEST_SUBLEVEL"]):
        lib.die(f"KDIR={tree} is Linux {kernel}.{sublevel}; the oldest that works is "
                f"{kernel}.{facts['OLDEST_SUBLEVEL']}")
    tested = facts["TESTED_SUBLEVELS"].split(",")
    if str(sublevel) not in tested:
        lib.note(f"KDIR is Linux {kernel}.{sublevel}; tested on "
                 + ", ".join(f"{kernel}.{number}" for number in tested))
    return f"{kernel}.{sublevel}"


def refuse_applied(tree: pathlib.Path, patches: list[pathlib.Path]) -> None:
    """Refuse a tree that has a file which the series would add."""
    for patch in patches:
        for diff in mailpatch.parse(patch.read_bytes()).diffs:
            if diff.creates and (tree / diff.path).exists():
                lib.die(f"KDIR={tree} already has {diff.path}, which {patch.name} adds; "
                        "is the series applied?")


def try_series(scratch: Scratch, tree: pathlib.Path, kernel: str,
               committer: dict[str, str] | None) -> str:
    """Apply the series in the scratch repository, or say what does not fit."""
    try:
        return scratch.am(committer)
    except AmError as error:
        made_for = series.Sources(lib.TARGET).base()
        folder = lib.OUT / "series"
        lib.die(f"{error.patch.name} does not apply to {tree} (Linux {kernel}) at "
                f"{error.places()}; it was made for {made_for}; {tree} is as it was; "
                f"to go on, in a git tree: git am -3 $(ls {folder}/0*.patch | tail -n +2) "
                "and resolve what it stops at")


def committer_of(tree: pathlib.Path) -> dict[str, str] | None:
    """The user's own identity, where git knows it."""
    result = subprocess.run(["git", "var", "GIT_COMMITTER_IDENT"], cwd=tree, text=True,
                            capture_output=True, check=False)
    match = re.match(r"(.+) <(.+)> ", result.stdout)
    if result.returncode or not match:
        return None
    return {"GIT_COMMITTER_NAME": match[1], "GIT_COMMITTER_EMAIL": match[2]}


def git_repo(tree: pathlib.Path) -> Repo | None:
    """The tree as a repository, if it is the top of one with a commit."""
    repo = Repo(tree)
    try:
        top = pathlib.Path(repo.run("rev-parse", "--show-toplevel"))
        repo.head()
    except GitError:
        return None
    return repo if top.samefile(tree) else None


def apply_commits(repo: Repo, kernel: str, patches: list[pathlib.Path]) -> str:
    """Give a git tree the commits; what was done."""
    busy = repo.in_progress()
    if busy:
        lib.die(f"KDIR={repo.path} has {busy} half done; finish it first")
    edits = repo.changes(untracked=False)
    if edits:
        lib.die(f"KDIR={repo.path} has local changes: {record.some(edits)}; "
                "commit or undo them first")
    old = repo.head()
    with Scratch(patches) as scratch:
        scratch.from_commit(repo, old)
        new = try_series(scratch, repo.path, kernel, committer_of(repo.path))
        scratch.send(repo, old, new)
    try:
        repo.run("merge", "-q", "--ff-only", new)
    except GitError as error:
        lib.die(f"KDIR={repo.path}: {' '.join(str(error).split())}")
    return f"{len(patches)} commits"


def move_into_place(scratch: Scratch, tree: pathlib.Path) -> None:
    """Bring the edited files over: all beside their places, then all at once."""
    changed = scratch.repo.paths("diff", "--name-only", "-z", "--no-renames",
                                 "--diff-filter=AM", f"HEAD~{len(scratch.patches)}")
    gone = scratch.repo.paths("diff", "--name-only", "-z", "--no-renames",
                              "--diff-filter=D", f"HEAD~{len(scratch.patches)}")
    beside = {path: tree / f"{path}.dio-pin" for path in changed}
    made: list[pathlib.Path] = []
    try:
        for path, new in beside.items():
            made += make_parents(new.parent)
            new.write_bytes((scratch.path / path).read_bytes())
            new.chmod((scratch.path / path).stat().st_mode & 0o777)
    except BaseException:
        for new in beside.values():
            new.unlink(missing_ok=True)
        for folder in reversed(made):
            folder.rmdir()
        raise
    stops = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    for path, new in beside.items():
        os.replace(new, tree / path)
    for path in gone:
        (tree / path).unlink()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, stops)


def make_parents(folder: pathlib.Path) -> list[pathlib.Path]:
    """Make a folder and those above it; the ones that were made, top first."""
    if folder.is_dir():
        return []
    made = make_parents(folder.parent)
    folder.mkdir()
    return [*made, folder]


def apply_edits(tree: pathlib.Path, kernel: str, patches: list[pathlib.Path]) -> str:
    """Give a plain tree the edits; what was done."""
    with Scratch(patches) as scratch:
        scratch.from_files(tree)
        try_series(scratch, tree, kernel, None)
        move_into_place(scratch, tree)
        return f"the edits of {len(patches)} patches to {len(scratch.touched)} files"


def program() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="apply the series to a kernel tree")
    parser.add_argument("kdir", help="the kernel tree")
    kdir = parser.parse_args().kdir
    if not kdir:
        lib.die("which tree? make apply KDIR=/path/to/linux")
    tree = pathlib.Path(kdir).absolute()
    if not tree.is_dir():
        lib.die(f"KDIR={kdir} is no directory")
    kernel = check_version(tree)
    patches = series.patch_files(lib.OUT / "series")
    refuse_applied(tree, patches)
    repo = git_repo(tree)
    done = (apply_commits(repo, kernel, patches) if repo
            else apply_edits(tree, kernel, patches))
    lib.note(f"{tree} has {done}")
    return 0


if __name__ == "__main__":
    lib.main(program)
