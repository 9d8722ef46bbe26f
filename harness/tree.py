#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Make build/<target>/linux: the base, and one commit for each patch.

The tree is only ever moved from one finished history to the next: the series
is applied elsewhere first, and a tree with work in it is left alone.
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile

import lib
import record
import series
from git import IDENTITY_ENV, AmError, GitError, Repo, Scratch
from record import TREE, Record

BRANCH = "dio-pin"
BASE_TAG = "base"


def refuse_unsettled(old: Record | None) -> None:
    """Nothing may be lost: work in the tree goes to patches/ first."""
    what = record.unsettled(old)
    if what:
        lib.die(f"{TREE.relative_to(lib.ROOT)} holds {what}; "
                "'make refresh' writes commits back")


def show_new_files(repo: Repo, ignore: pathlib.Path) -> None:
    """Take '/*' out of .gitignore: Debian's packaging hides all new files."""
    if not ignore.is_file():
        return
    lines = ignore.read_bytes().split(b"\n")
    if b"/*" in lines:
        text = b"\n".join(line for line in lines if line != b"/*")
        blob = repo.run("hash-object", "-w", "--stdin", stdin=text)
        repo.run("update-index", "--cacheinfo", f"100644,{blob},.gitignore")


def import_base(repo: Repo, name: str) -> str:
    """Put the base source into the repository as a commit without parent."""
    lib.note(f"importing {name} into git")
    base = lib.OUT / "base"
    date = f"{series.EPOCH} +0000"
    with tempfile.TemporaryDirectory(dir=lib.OUT) as folder:
        importer = Repo(repo.path, IDENTITY_ENV | {
            "GIT_INDEX_FILE": f"{folder}/index", "GIT_WORK_TREE": str(base),
            "GIT_DIR": str(repo.path / ".git"),
            "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date})
        importer.run("-c", "core.compression=1", "add", "-A", "-f", ".")
        show_new_files(importer, base / ".gitignore")
        tree = importer.run("write-tree")
        return importer.run("commit-tree", "-m", name, tree)


def has_history() -> bool:
    """Is there a tree with a commit? One without is a first run cut short."""
    if not (TREE / ".git").is_dir():
        return False
    try:
        Repo(TREE).head()
    except GitError:
        return False
    return True


def new_repo() -> Repo:
    """An empty repository at the tree's place."""
    TREE.mkdir(parents=True, exist_ok=True)
    repo = Repo(TREE)
    repo.run("init", "-q", "--template=", "-b", BRANCH)
    name, mail = (IDENTITY_ENV[key] for key in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"))
    repo.run("config", "user.name", name)
    repo.run("config", "user.email", mail)
    repo.run("config", "gc.auto", "0")
    return repo


def base_commit(repo: Repo, old: Record | None, name: str, fingerprint: str) -> str:
    """The commit of the base source, imported when it is not there yet."""
    if old and old.fingerprint == fingerprint:
        return old.root
    root = import_base(repo, name)
    repo.run("tag", "-f", BASE_TAG, root)
    return root


def apply_series(repo: Repo, root: str, patches: list[pathlib.Path], name: str) -> str:
    """Apply the joined series on top of the base commit; its last commit."""
    with Scratch(patches) as scratch:
        scratch.from_commit(repo, root)
        try:
            head = scratch.am()
        except AmError as error:
            made_for = series.Sources(lib.TARGET).base()
            lib.die(f"{error.patch.name} does not apply to {name} at {error.places()}; "
                    f"it was made for {made_for}; the tree is as it was; "
                    "correct the patch, or use that base")
        if head != root:
            scratch.send(repo, root, head)
    return head


def make(anew: bool) -> None:
    """Bring the tree to the series as it is now."""
    old = record.load()
    patches = series.patch_files(series.make())
    sources = series.Sources(lib.TARGET)
    loaded = series.load(sources)
    hashes = record.hashes(sources, loaded)
    name, fingerprint = record.base_from()
    fresh = not has_history()
    if not fresh:
        refuse_unsettled(old)
    repo = new_repo() if fresh else Repo(TREE)
    if (old and not fresh and not anew and old.fingerprint == fingerprint
            and old.sources == hashes and repo.head() == old.head):
        lib.note(f"{TREE.relative_to(lib.ROOT)} is up to date")
        return
    root = base_commit(repo, old, name, fingerprint)
    lib.note(f"applying {len(patches)} patches")
    head = apply_series(repo, root, patches, name)
    subjects = {patch.subject: file for file, patch in loaded.items()}
    previous = root if fresh else repo.head()
    Record(name, fingerprint, root, head, previous, hashes, subjects).save()
    repo.run("checkout", "-q", "-f", "-B", BRANCH, head)
    record.mark(repo, head)
    lib.note(f"{TREE.relative_to(lib.ROOT)}: {name} and {len(patches)} patches")


def program() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="make the tree of $TARGET")
    parser.add_argument("--settled", action="store_true",
                        help="only check that the tree holds nothing unrefreshed")
    parser.add_argument("--anew", action="store_true",
                        help="apply the series even if nothing changed")
    options = parser.parse_args()
    if options.settled:
        refuse_unsettled(record.load())
    else:
        make(options.anew)
    return 0


if __name__ == "__main__":
    lib.main(program)
