# SPDX-License-Identifier: GPL-2.0
"""The record of what a tree was made from: build/<target>/tree.json."""

from __future__ import annotations

import dataclasses
import json
import os

import lib
import mailpatch
from git import GitError, Repo
from series import Sources

TREE = lib.OUT / "linux"
RECORD = lib.OUT / "tree.json"
BASE_FROM = lib.OUT / "base.from"


@dataclasses.dataclass
class Record:
    """What the tree was made from, and where its history stood then."""

    base: str
    fingerprint: str
    root: str
    head: str
    # The head before, until the checkout of this one is done.
    previous: str
    # Source file to hash of its content, and subject to patch file.
    sources: dict[str, str]
    subjects: dict[str, str]

    def save(self) -> None:
        """Write it, whole or not at all."""
        new = RECORD.with_suffix(".new")
        new.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")
        os.replace(new, RECORD)


def load() -> Record | None:
    """The record of the tree that is there, if one is."""
    if not RECORD.is_file() or not TREE.is_dir():
        return None
    return Record(**json.loads(RECORD.read_text()))


def base_from() -> tuple[str, str]:
    """The name and the fingerprint of the base source that is unpacked."""
    if not BASE_FROM.is_file():
        lib.die("no base source yet; 'make tree' unpacks it")
    name, fingerprint = BASE_FROM.read_text().splitlines()
    return name, fingerprint


def file_hash(sources: Sources, path: str) -> str:
    """A hash of a source file; of 'series' only what is not comment."""
    file = sources.root / path
    if not file.is_file():
        return "missing"
    if file == sources.series_file:
        data = "\n".join([sources.base(), *sources.names()]).encode()
    else:
        data = (b"x" if os.access(file, os.X_OK) else b"") + file.read_bytes()
    return mailpatch.blob_id(data).decode()


def hashes(sources: Sources, patches: dict[str, mailpatch.Patch]) -> dict[str, str]:
    """A hash of every source file."""
    files = [sources.series_file]
    for name, patch in patches.items():
        files.append(sources.folder / name)
        files += [sources.added_file(path) for path in patch.adds]
    return {path: file_hash(sources, path) for path in map(sources.show, files)}


def mark(repo: Repo, head: str) -> None:
    """Keep a name on the commit where tree and sources were last the same."""
    repo.run("update-ref", "--create-reflog", "refs/heads/refreshed", head)


def some(paths: list[str]) -> str:
    """A list of paths for one line, cut where it gets long."""
    shown = ", ".join(paths[:8])
    return shown if len(paths) <= 8 else f"{shown} and {len(paths) - 8} more"


def unsettled(record: Record | None) -> str | None:
    """What the tree holds that was not refreshed, if anything."""
    if not TREE.is_dir():
        return None
    repo = Repo(TREE)
    try:
        head = repo.head()
    except GitError:
        return "no readable history"
    busy = repo.in_progress()
    if busy:
        return f"{busy} half done"
    edits = repo.changes()
    if edits:
        return f"edits that are not committed: {some(edits)}"
    if record and head in (record.head, record.previous):
        return None
    old = record.head if record else repo.run("rev-parse", "base")
    if head == old:
        return None
    commits = repo.lines("log", "--format=%s", f"{old}..{head}")
    return "commits that were not refreshed: " + (some(commits) or "some taken away")
