# SPDX-License-Identifier: GPL-2.0
"""git repositories, and applying mail patches without touching any of them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence

import lib
import mailpatch

NAME, MAIL = mailpatch.IDENTITY.rstrip(">").split(" <")
IDENTITY_ENV = {
    "GIT_AUTHOR_NAME": NAME, "GIT_AUTHOR_EMAIL": MAIL,
    "GIT_COMMITTER_NAME": NAME, "GIT_COMMITTER_EMAIL": MAIL,
}
# What stands in the git directory while something is half done.
IN_PROGRESS = {
    "rebase-merge": "a rebase", "rebase-apply": "a rebase or an am",
    "MERGE_HEAD": "a merge", "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert", "BISECT_LOG": "a bisection",
}


class GitError(Exception):
    """A git command that failed; the text is what it said."""


class AmError(Exception):
    """A mail patch that does not apply."""

    def __init__(self, patch: pathlib.Path, said: str) -> None:
        """Which patch, and what git said about it."""
        super().__init__(said)
        self.patch = patch
        self.said = said

    def places(self) -> str:
        """The files, with line where it is known, that git complained of."""
        found = re.findall(r"^error: patch failed: (\S+)$", self.said, re.M)
        files = {place.rpartition(":")[0] for place in found}
        for path in re.findall(r"^error: (\S+): (?:patch does not apply|already exists"
                               r"|does not exist|No such file)", self.said, re.M):
            if path not in files:
                found.append(path)
                files.add(path)
        return ", ".join(found) or self.said.strip().splitlines()[0]


@dataclasses.dataclass(frozen=True)
class Repo:
    """A git work tree, used without anybody's configuration."""

    path: pathlib.Path
    extra_env: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def raw(self, *args: str | os.PathLike[str], stdin: bytes = b"") -> bytes:
        """Run git; its output as bytes."""
        result = subprocess.run(["git", *args], cwd=self.path, input=stdin, check=False,
                                capture_output=True,
                                env=lib.git_env() | dict(self.extra_env))
        if result.returncode:
            said = (result.stderr + result.stdout).decode(errors="replace")
            if "No space left on device" in said:
                lib.die(f"no space left on device ({self.path}); "
                        "free some and start again")
            raise GitError(said)
        return result.stdout

    def run(self, *args: str | os.PathLike[str], stdin: bytes = b"") -> str:
        """Run git; its output as text without the last newline."""
        return self.raw(*args, stdin=stdin).decode(errors="replace").rstrip("\n")

    def lines(self, *args: str) -> list[str]:
        """Run git; its output's lines."""
        return self.run(*args).splitlines()

    def paths(self, *args: str) -> list[str]:
        """Run git with -z; the paths that it lists."""
        return [p for p in self.raw(*args).decode(errors="replace").split("\0") if p]

    def head(self) -> str:
        """The commit that is checked out."""
        return self.run("rev-parse", "--verify", "HEAD^{commit}")

    def git_path(self, name: str) -> pathlib.Path:
        """A path in the git directory."""
        return self.path / self.run("rev-parse", "--git-path", name)

    def in_progress(self) -> str | None:
        """What is half done in this tree, if anything is."""
        for name, what in IN_PROGRESS.items():
            if self.git_path(name).exists():
                return what
        return None

    def changes(self, untracked: bool = True) -> list[str]:
        """The files with changes that are not committed."""
        listed = self.paths("status", "--porcelain", "-z", "--no-renames",
                            "--untracked-files=" + ("all" if untracked else "no"))
        return [entry[3:] for entry in listed]


def _touched(patches: Iterable[pathlib.Path]) -> list[str]:
    """Every path that mail patches touch."""
    return sorted({diff.path for patch in patches
                   for diff in mailpatch.parse(patch.read_bytes()).diffs})


class Scratch:
    """A throw-away repository that holds only the files patches touch.

    It reads a real repository's objects, or is filled with a plain tree's
    files; git am runs in here, and what it was made from stays as it is.
    """

    def __init__(self, patches: Sequence[pathlib.Path]) -> None:
        """Make it, empty, in the system's place for such things."""
        self.patches = patches
        self.touched = _touched(patches)
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="dio-pin-"))
        self.repo = Repo(self.path, IDENTITY_ENV)
        self.repo.run("init", "-q", "--template=")
        for key in ("gc.auto", "maintenance.auto"):
            self.repo.run("config", key, "0")

    def __enter__(self) -> Scratch:
        """Use it in a with statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Throw it away."""
        shutil.rmtree(self.path, ignore_errors=True)

    def from_commit(self, source: Repo, commit: str) -> None:
        """Stand on a commit of a repository, only the touched files there."""
        info = self.path / ".git" / "info"
        objects = self.path / ".git" / "objects" / "info"
        for folder in (info, objects):
            folder.mkdir(parents=True, exist_ok=True)
        real = source.git_path("objects").resolve()
        (objects / "alternates").write_text(f"{real}\n")
        shallow = source.git_path("shallow")
        if shallow.exists():
            shutil.copy(shallow, self.path / ".git" / "shallow")
        patterns = [f"/{path}\n" for path in self.touched] or ["/none\n"]
        (info / "sparse-checkout").write_text("".join(patterns))
        self.repo.run("config", "core.sparseCheckout", "true")
        self.repo.run("update-ref", "--no-deref", "HEAD", commit)
        self.repo.run("read-tree", "-m", "-u", "HEAD")

    def from_files(self, folder: pathlib.Path) -> None:
        """Stand on a commit of a plain tree's touched files."""
        for path in self.touched:
            if (folder / path).is_file():
                (self.path / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(folder / path, self.path / path)
        self.repo.run("add", "-A", "-f")
        self.repo.run("commit", "-q", "--allow-empty", "-m", "base")

    def am(self, committer: Mapping[str, str] | None = None) -> str:
        """Apply the patches, one commit each; the last commit.

        Without a committer the commits depend on nothing but the series.
        """
        extra = dict(committer) if committer else IDENTITY_ENV
        repo = Repo(self.path, extra)
        dates = [] if committer else ["--committer-date-is-author-date"]
        for patch in self.patches:
            try:
                repo.run("am", "-q", *dates, patch.resolve())
            except GitError as error:
                raise AmError(patch, str(error)) from None
        return repo.head()

    def send(self, target: Repo, old: str, new: str) -> None:
        """Give the commits from old to new to the repository they are for."""
        pack = self.repo.raw("pack-objects", "--revs", "--stdout", "-q",
                             stdin=f"{new}\n^{old}\n".encode())
        target.raw("unpack-objects", "-q", stdin=pack)
