#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Check the harness itself: what it does to sources, trees and bad input.

Every case works on a copy of the harness and a kernel of a few files, both in
a temporary folder. Bad input must end in one line, status 2, and no change.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import lib

FACTS = """VERSION=6.1
OLDEST_SUBLEVEL=100
TESTED_SUBLEVELS=150
SOURCE_PACKAGE=
SOURCE_TARBALL=
FILE_SYSTEMS=
"""
KERNEL = {
    "Makefile": "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 150\nEXTRAVERSION =\nNAME = X\n",
    "Kbuild": "# tiny\n",
    "Kconfig": "# tiny\n",
    "MAINTAINERS": "A ENTRY\nF:\ta\n\nZ ENTRY\nF:\tz\n",
    "mm/gup.c": "".join(f"int line_{n};\n" for n in range(60)),
    "mm/old.c": "int old;\n",
}


class Project:
    """A copy of the harness with one target, and a kernel for it."""

    def __init__(self, root: pathlib.Path) -> None:
        """Make both below root."""
        self.root = root / "project"
        self.kernel = root / "kernel"
        shutil.copytree(lib.HARNESS, self.root / "harness",
                        ignore=shutil.ignore_patterns("__pycache__"))
        (self.root / "harness" / "targets" / "tiny").write_text(FACTS)
        self.write(self.kernel, KERNEL)
        self.out = self.root / "build" / "tiny"
        self.tree = self.out / "linux"
        self.patches = self.root / "patches" / "tiny"
        self.series = self.patches / "series"
        self.write(self.patches, {
            "series": "# base: v6.1.150\n",
            "cover-letter": "tiny: a series\n\nText.\n",
        })

    @staticmethod
    def write(folder: pathlib.Path, files: dict[str, str]) -> None:
        """Write files below a folder."""
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run(self, script: str, *args: str | os.PathLike[str],
            **env: str) -> subprocess.CompletedProcess[str]:
        """Run one of the harness's programs."""
        return subprocess.run(
            [self.root / "harness" / script, *args], cwd=self.root, text=True,
            capture_output=True, check=False, stdin=subprocess.DEVNULL,
            env=os.environ | {"TARGET": "tiny", "KERNEL_SRC": str(self.kernel),
                              "PYTHONDONTWRITEBYTECODE": "1"} | env)

    def git(self, *args: str, cwd: pathlib.Path | None = None) -> str:
        """Run git in the tree, or elsewhere."""
        identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
        return subprocess.run(["git", *identity, *args], cwd=cwd or self.tree, text=True,
                              env=lib.git_env(), capture_output=True,
                              check=True).stdout.strip()

    def commit(self, subject: str, files: dict[str, str]) -> None:
        """Commit files in the tree."""
        self.write(self.tree, files)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"{subject}\n\nBecause.\n")

    def sources(self) -> dict[str, bytes]:
        """Every source file, by path."""
        return {str(path.relative_to(self.root)): path.read_bytes()
                for path in sorted(self.root.rglob("*")) if path.is_file()
                and path.relative_to(self.root).parts[0] not in ("build", "harness")}

    def names(self) -> list[str]:
        """The lines of the series file, but for the first."""
        return self.series.read_text().splitlines()[1:]


def gup(**edits: str) -> str:
    """mm/gup.c with some lines edited: line_5="text"."""
    lines = KERNEL["mm/gup.c"].splitlines()
    for line, text in edits.items():
        lines[int(line.removeprefix("line_"))] = text
    return "\n".join(lines) + "\n"


class Case(unittest.TestCase):
    """A case with a project of its own."""

    def setUp(self) -> None:
        """Make the project."""
        folder = tempfile.TemporaryDirectory(prefix="dio-pin-check-")
        self.addCleanup(folder.cleanup)
        self.project = Project(pathlib.Path(folder.name))

    def succeeds(self, script: str, *args: str | os.PathLike[str], **env: str) -> str:
        """Run a program that must succeed; its output."""
        result = self.project.run(script, *args, **env)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def refuses(self, words: list[str], script: str, *args: str | os.PathLike[str],
                **env: str) -> None:
        """Run a program that must end with one line with these words, status 2."""
        result = self.project.run(script, *args, **env)
        self.assertEqual(result.returncode, 2, result.stdout + result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def make_tree(self) -> None:
        """What 'make tree' does."""
        self.succeeds("source.sh")
        self.succeeds("tree.py")

    def make_series(self) -> None:
        """A series of two patches; the second adds a file."""
        self.make_tree()
        self.project.commit("mm: edit a line", {"mm/gup.c": gup(line_5="int five;")})
        self.project.commit("mm: add a file", {
            "mm/new.c": "int new;\n", "Kbuild": "# tiny\nobj-y += mm/new.o\n"})
        self.succeeds("refresh.py")


class SourceTest(Case):
    """harness/source.sh"""

    def refuses_source(self, words: list[str], source: str | os.PathLike[str]) -> None:
        """A bad KERNEL_SRC is refused, and the base stays."""
        self.succeeds("source.sh")
        self.refuses(words, "source.sh", KERNEL_SRC=str(source))
        self.succeeds("source.sh")
        self.assertTrue((self.project.out / "base" / "mm" / "gup.c").is_file())
        self.assertFalse((self.project.out / "base.new").exists())

    def other_kernel(self, old: str, new: str) -> pathlib.Path:
        """A second kernel with another line in its Makefile."""
        other = self.project.kernel.with_name("other")
        self.project.write(other, KERNEL)
        self.project.write(other, {"Makefile": KERNEL["Makefile"].replace(old, new)})
        return other

    def test_missing(self) -> None:
        """Nothing there."""
        self.refuses_source(["does not exist"], "/nonexistent/linux")

    def test_none_named(self) -> None:
        """No KERNEL_SRC, for a target that no package brings."""
        self.refuses_source(["KERNEL_SRC=", "--branch v6.1.150", "linux-6.1.150.tar.xz"],
                            "")

    def test_no_kernel(self) -> None:
        """A folder without a kernel."""
        self.refuses_source(["no kernel"], self.project.patches)

    def test_other_version(self) -> None:
        """A kernel of another version."""
        other = self.other_kernel("PATCHLEVEL = 1", "PATCHLEVEL = 12")
        self.refuses_source(["6.12", "needs 6.1"], other)

    def test_too_old(self) -> None:
        """A kernel that is too old."""
        other = self.other_kernel("SUBLEVEL = 150", "SUBLEVEL = 99")
        self.refuses_source(["6.1.99", "6.1.100"], other)

    def test_untested(self) -> None:
        """A kernel that nobody tested is tried, with a word about it."""
        other = self.other_kernel("SUBLEVEL = 150", "SUBLEVEL = 151")
        for _ in ("new", "there already"):
            said = self.succeeds("source.sh", KERNEL_SRC=str(other))
            self.assertEqual(said.count("tested on 6.1.{150}"), 1, said)

    def test_built(self) -> None:
        """A tree that was built in."""
        other = self.other_kernel("", "")
        (other / ".config").write_text("")
        self.refuses_source(["mrproper"], other)

    def test_tarballs(self) -> None:
        """A good tarball, and one that is none."""
        tarball = self.project.root / "linux.tar.xz"
        tarball.write_text("no tar\n")
        self.refuses_source(["cannot unpack"], tarball)
        subprocess.run(["tar", "-cJf", tarball, "-C", self.project.kernel.parent,
                        "kernel"], check=True)
        self.succeeds("source.sh", KERNEL_SRC=str(tarball))

    def test_git(self) -> None:
        """Of a git tree, what is committed."""
        kernel = self.project.kernel
        self.project.git("init", "-q", cwd=kernel)
        self.project.git("add", "-A", cwd=kernel)
        self.project.git("commit", "-q", "-m", "base", cwd=kernel)
        (kernel / "mm" / "gup.c").write_text("broken\n")
        self.assertIn("left out", self.succeeds("source.sh"))
        base = self.project.out / "base"
        self.assertEqual((base / "mm" / "gup.c").read_text(), KERNEL["mm/gup.c"])
        self.assertFalse((base / ".git").exists())

    def test_no_target(self) -> None:
        """A target that does not exist."""
        for script in ("source.sh", "series.py", "tree.py", "refresh.py"):
            self.refuses(["no target '5.99'", "tiny"], script, TARGET="5.99")

    def test_full_disk(self) -> None:
        """A full disk: one line, and the base that was there stays."""
        build = self.project.root / "build"
        build.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", build],
                                 capture_output=True, check=False)
        if mounted.returncode:
            self.skipTest("cannot mount a small file system")
        self.addCleanup(subprocess.run, ["umount", build], check=True)
        self.succeeds("source.sh")
        other = self.other_kernel("", "")
        (other / "big").write_bytes(os.urandom(4 << 20))
        self.refuses(["no space left"], "source.sh", KERNEL_SRC=str(other))
        self.assertTrue((self.project.out / "base" / "mm" / "gup.c").is_file())
        self.succeeds("source.sh")


class SeriesTest(Case):
    """harness/series.py"""

    def test_joined(self) -> None:
        """The joined patches are complete and git takes them."""
        self.make_series()
        self.succeeds("series.py")
        folder = self.project.out / "series"
        self.assertEqual(sorted(path.name for path in folder.iterdir()),
                         ["0000-cover-letter.patch", "0001-mm-edit-a-line.patch",
                          "0002-mm-add-a-file.patch", "series"])
        patch = (folder / "0002-mm-add-a-file.patch").read_text()
        self.assertIn("Subject: [PATCH 2/2] mm: add a file\n", patch)
        self.assertIn("\n+int new;\n", patch)
        self.assertIn("\n create mode 100644 mm/new.c\n", patch)
        cover = (folder / "0000-cover-letter.patch").read_text()
        self.assertIn("\nbase: v6.1.150\n", cover)
        self.assertIn(" 3 files changed, 3 insertions(+), 1 deletion(-)\n", cover)

    def test_refusals(self) -> None:
        """Sources that do not fit together."""
        self.make_series()
        patch = self.project.patches / "mm-add-a-file.patch"
        text = patch.read_text()
        patch.write_text(text.replace("Adds: mm/new.c", "Adds: mm/none.c"))
        self.refuses(["mm-add-a-file.patch", "mm/none.c"], "series.py")
        patch.write_text(text.replace("Adds: mm/new.c", "Adds: harness/lib.sh"))
        self.refuses(["mm-add-a-file.patch", "harness/lib.sh"], "series.py")
        patch.write_text(text.replace("Adds: mm/new.c", "Adds: ../new.c"))
        self.refuses(["mm-add-a-file.patch", "../new.c"], "series.py")
        patch.write_text(text.rpartition("+obj-y")[0])
        self.refuses(["mm-add-a-file.patch", "cut short"], "series.py")
        patch.unlink()
        self.refuses(["mm-add-a-file.patch"], "series.py")
        self.project.series.write_text("mm-edit-a-line.patch\n")
        self.refuses(["first line"], "series.py")

    def test_edits_added_file(self) -> None:
        """A patch that edits an added file."""
        self.make_series()
        patch = (self.project.patches / "mm-edit-a-line.patch")
        text = patch.read_text().replace("mm/gup.c", "mm/new.c")
        self.project.write(self.project.patches, {"late.patch": text})
        with self.project.series.open("a") as series:
            series.write("late.patch\n")
        self.refuses(["late.patch", "mm/new.c", "mm-add-a-file.patch"], "series.py")


class TreeTest(Case):
    """harness/tree.py"""

    def test_does_not_apply(self) -> None:
        """A patch that does not apply: which, where, and the tree stays."""
        self.make_series()
        head = self.project.git("rev-parse", "HEAD")
        patch = self.project.patches / "mm-edit-a-line.patch"
        patch.write_text(patch.read_text().replace(" int line_4;", " int line_x;"))
        self.refuses(["0001-mm-edit-a-line.patch", "mm/gup.c", "made for v6.1.150"],
                     "tree.py")
        self.assertEqual(self.project.git("rev-parse", "HEAD"), head)
        self.assertEqual(self.project.git("status", "--porcelain"), "")

    def test_unrefreshed(self) -> None:
        """Edits and commits that were not refreshed."""
        self.make_series()
        self.project.write(self.project.tree, {"mm/extra.c": "int x;\n"})
        self.refuses(["not committed", "mm/extra.c"], "tree.py")
        self.refuses(["not committed", "mm/extra.c"], "refresh.py")
        self.project.commit("mm: add extra", {})
        self.refuses(["not refreshed", "mm: add extra"], "tree.py")

    def test_follows_sources(self) -> None:
        """A changed source, and a changed base."""
        self.make_series()
        self.project.write(self.project.root, {"mm/new.c": "int newer;\n"})
        self.succeeds("tree.py")
        self.assertEqual((self.project.tree / "mm/new.c").read_text(), "int newer;\n")
        self.project.write(self.project.kernel, {"mm/old.c": "int older;\n"})
        self.make_tree()
        self.assertEqual((self.project.tree / "mm/old.c").read_text(), "int older;\n")
        self.assertEqual((self.project.tree / "mm/new.c").read_text(), "int newer;\n")


class RefreshTest(Case):
    """harness/refresh.py"""

    def test_round_trip(self) -> None:
        """tree + refresh changes no byte."""
        self.make_series()
        self.project.commit("mm: drop old, add a script", {"mm/tool.sh": "#!/bin/sh\n"})
        (self.project.tree / "mm/tool.sh").chmod(0o755)
        (self.project.tree / "mm/old.c").unlink()
        self.project.git("commit", "-q", "-a", "--amend", "--no-edit")
        self.succeeds("refresh.py")
        before = self.project.sources()
        self.assertIn("mm/tool.sh", before)
        self.assertTrue(os.access(self.project.root / "mm/tool.sh", os.X_OK))
        self.succeeds("roundtrip.sh")
        self.succeeds("refresh.py")
        self.assertEqual(self.project.sources(), before)

    def test_check_fails(self) -> None:
        """The round trip's check sees a patch that is not in its own form."""
        self.make_series()
        patch = self.project.patches / "mm-edit-a-line.patch"
        patch.write_text(patch.read_text().replace("---\n mm/", "---\n\n mm/"))
        result = self.project.run("roundtrip.sh")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("3 passed, 1 failed, 0 skipped", result.stdout)

    def test_other_base(self) -> None:
        """On another base, a patch that is the same but for its place stays."""
        self.make_series()
        shifted = "int first;\n" + KERNEL["mm/gup.c"]
        self.project.write(self.project.kernel, {"mm/gup.c": shifted})
        self.project.series.write_text("\n".join(
            ["# base: another 1.0", *self.project.names()]) + "\n")
        before = self.project.sources()
        self.make_tree()
        self.succeeds("refresh.py")
        self.assertEqual(self.project.sources(), before)

    def test_stages(self) -> None:
        """Headings stay; new and renamed patches come where they belong."""
        self.make_series()
        self.project.series.write_text(
            "# base: v6.1.150\n# One\nmm-edit-a-line.patch\n"
            "\n# Two\nmm-add-a-file.patch\n")
        self.project.git("commit", "-q", "--amend", "-m", "mm: a better name\n\nWhy.")
        self.project.commit("mm: third", {"mm/old.c": "int third;\n"})
        self.succeeds("refresh.py")
        self.assertEqual(self.project.names(), [
            "# One", "mm-edit-a-line.patch", "", "# Two", "mm-a-better-name.patch",
            "mm-third.patch"])
        self.assertFalse((self.project.patches / "mm-add-a-file.patch").exists())
        root = self.project.git("rev-parse", "base")
        picks = self.project.git("rev-list", "--reverse", f"{root}..HEAD").split()
        self.project.git("reset", "-q", "--hard", root)
        self.project.git("cherry-pick", *(picks[n] for n in (2, 0, 1)))
        self.succeeds("refresh.py")
        self.assertEqual(self.project.names(), [
            "# One", "mm-third.patch", "mm-edit-a-line.patch", "", "# Two",
            "mm-a-better-name.patch"])

    def test_edits_added_file(self) -> None:
        """A commit that edits a file which an earlier one adds."""
        self.make_series()
        before = self.project.sources()
        self.project.commit("mm: edit it", {"mm/new.c": "int other;\n"})
        self.refuses(["mm: edit it", "mm/new.c", "mm: add a file"], "refresh.py")
        self.assertEqual(self.project.sources(), before)

    def test_edited_source(self) -> None:
        """A source that was edited since the tree was made."""
        self.make_series()
        self.project.write(self.project.root, {"mm/new.c": "int edited;\n"})
        before = self.project.sources()
        self.project.commit("mm: third", {"mm/old.c": "int third;\n"})
        self.refuses(["changed since", "mm/new.c"], "refresh.py")
        self.assertEqual(self.project.sources(), before)

    def test_keep_both(self) -> None:
        """What patches/README says to do then: both are kept."""
        self.make_series()
        self.project.write(self.project.root, {"mm/new.c": "int edited;\n"})
        self.project.commit("mm: third", {"mm/old.c": "int third;\n"})
        self.project.git("branch", "mine")
        self.project.git("reset", "-q", "--hard", "refreshed")
        self.succeeds("tree.py")
        self.project.git("rebase", "-q", "--onto", "HEAD", "refreshed@{1}", "mine")
        self.succeeds("refresh.py")
        self.assertEqual((self.project.root / "mm/new.c").read_text(), "int edited;\n")
        self.assertIn("mm-third.patch", self.project.names())

    def test_in_the_way(self) -> None:
        """A file here that is in the way of one that a commit adds."""
        self.make_series()
        self.project.write(self.project.root, {"mm/more.c": "int precious;\n"})
        self.project.commit("mm: add more", {"mm/more.c": "int more;\n"})
        self.refuses(["mm/more.c"], "refresh.py")

    def test_own_path(self) -> None:
        """A commit that adds a file at a place of the project's own."""
        self.make_series()
        self.project.commit("harness: add", {"harness/x.c": "int x;\n"})
        self.refuses(["harness/x.c"], "refresh.py")

    def test_odd_histories(self) -> None:
        """An empty commit, two of one name, a sign-off, a merge."""
        self.make_series()
        head = self.project.git("rev-parse", "HEAD")
        self.project.git("commit", "-q", "--allow-empty", "-m", "mm: empty")
        self.refuses(["mm: empty", "changes nothing"], "refresh.py")
        self.project.git("reset", "-q", "--hard", head)
        self.project.commit("mm: edit a line", {"mm/old.c": "int twice;\n"})
        self.refuses(["mm-edit-a-line.patch", "different subjects"], "refresh.py")
        self.project.git("commit", "-q", "--amend", "-s", "-m", "mm: signed")
        self.refuses(["mm: signed", "Signed-off-by"], "refresh.py")
        self.project.git("reset", "-q", "--hard", "HEAD~2")
        self.project.commit("mm: side", {"mm/side.c": "int side;\n"})
        self.project.git("merge", "-q", "--no-edit", head)
        self.refuses(["is a merge"], "refresh.py")

    def test_dropped_file(self) -> None:
        """An added file that no target names any more goes; a shared one stays."""
        self.make_series()
        self.project.git("reset", "-q", "--hard", "HEAD~1")
        self.project.write(self.project.root / "patches" / "other", {
            "series": "# base: x 1\nuses-it.patch\n",
            "uses-it.patch": "From 0\nSubject: [PATCH] a: b\n\nWhy.\n---\nAdds: mm/new.c\n"})
        self.succeeds("refresh.py")
        self.assertFalse((self.project.patches / "mm-add-a-file.patch").exists())
        self.assertTrue((self.project.root / "mm/new.c").exists())
        shutil.rmtree(self.project.root / "patches" / "other")
        self.make_again_and_drop()
        self.assertFalse((self.project.root / "mm/new.c").exists())

    def make_again_and_drop(self) -> None:
        """Add mm/new.c once more, and drop it again."""
        self.project.commit("mm: add a file", {"mm/new.c": "int new;\n"})
        self.succeeds("refresh.py")
        self.project.git("reset", "-q", "--hard", "HEAD~1")
        self.succeeds("refresh.py")

    def test_own_file_wins(self) -> None:
        """A file of the target's own is used, and refreshed, in its place."""
        self.make_series()
        own = self.project.patches / "files"
        self.project.write(own, {"mm/new.c": "int own;\n"})
        self.succeeds("tree.py")
        self.assertEqual((self.project.tree / "mm/new.c").read_text(), "int own;\n")
        self.project.write(self.project.tree, {"mm/new.c": "int changed;\n"})
        self.project.git("commit", "-q", "-a", "--amend", "--no-edit")
        self.succeeds("refresh.py")
        self.assertEqual((own / "mm/new.c").read_text(), "int changed;\n")
        self.assertEqual((self.project.root / "mm/new.c").read_text(), "int new;\n")


class ApplyTest(Case):
    """harness/apply.py"""

    def setUp(self) -> None:
        """A joined series, and a kernel of the user's."""
        super().setUp()
        self.make_series()
        self.succeeds("series.py")
        self.user = self.project.kernel.with_name("user")
        self.project.write(self.user, KERNEL)

    def make_git(self) -> None:
        """Make the user's kernel a git tree."""
        for args in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "mine"]):
            self.project.git(*args, cwd=self.user)

    def content(self) -> dict[str, bytes]:
        """The user's kernel, without git's own files."""
        return {str(path.relative_to(self.user)): path.read_bytes()
                for path in sorted(self.user.rglob("*"))
                if path.is_file() and ".git" not in path.parts}

    def refuses_tree(self, words: list[str]) -> None:
        """The series is refused, and nothing in the tree changes."""
        before = self.content()
        self.refuses(words, "apply.py", self.user)
        self.assertEqual(self.content(), before)

    def test_plain(self) -> None:
        """A plain tree gets the edits, once."""
        self.succeeds("apply.py", self.user)
        self.assertIn("int five;", (self.user / "mm/gup.c").read_text())
        self.assertEqual((self.user / "mm/new.c").read_text(), "int new;\n")
        self.refuses_tree(["already has mm/new.c"])

    def test_git(self) -> None:
        """A git tree gets the commits."""
        self.make_git()
        self.succeeds("apply.py", self.user)
        log = self.project.git("log", "--format=%s", cwd=self.user).splitlines()
        self.assertEqual(log, ["mm: add a file", "mm: edit a line", "mine"])
        self.assertEqual(self.project.git("status", "--porcelain", cwd=self.user), "")

    def test_local_changes(self) -> None:
        """A git tree with local changes."""
        self.make_git()
        self.project.write(self.user, {"mm/old.c": "int mine;\n"})
        self.refuses_tree(["local changes", "mm/old.c"])

    def test_does_not_fit(self) -> None:
        """A tree that a later patch does not fit: nothing of it is applied."""
        self.project.write(self.user, {"Kbuild": "# other\n"})
        words = ["0002-mm-add-a-file.patch", "Kbuild", "made for v6.1.150", "git am -3"]
        self.refuses_tree(words)
        self.make_git()
        self.refuses_tree(words)
        self.assertEqual(self.project.git("log", "--format=%s", cwd=self.user), "mine")

    def test_bad_trees(self) -> None:
        """No tree, no kernel, another kernel, an old one."""
        self.refuses(["KDIR"], "apply.py", "")
        self.refuses(["no directory"], "apply.py", "/nonexistent")
        self.refuses(["no kernel"], "apply.py", self.project.patches)
        head = KERNEL["Makefile"]
        self.project.write(self.user, {"Makefile": head.replace("SUBLEVEL = 150",
                                                                "SUBLEVEL = 9")})
        self.refuses_tree(["6.1.9", "6.1.100"])
        self.project.write(self.user, {"Makefile": head.replace("PATCHLEVEL = 1",
                                                                "PATCHLEVEL = 6")})
        self.refuses_tree(["6.6", "for 6.1"])


class Counted(unittest.TestResult):
    """A result that counts in the harness's way."""

    def __init__(self, tally: lib.Tally) -> None:
        """Count into this tally."""
        super().__init__()
        self.tally = tally

    def addSuccess(self, test: unittest.TestCase) -> None:
        """A case passed."""
        self.tally.ok(f"harness: {test.shortDescription()}")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        """A case could not run here."""
        self.tally.skip(f"harness: {test.shortDescription()} {reason}")

    def addFailure(self, test: unittest.TestCase, err: tuple) -> None:  # type: ignore
        """A case failed."""
        print(self._exc_info_to_string(err, test))
        self.tally.fail(f"harness: {test.shortDescription()}")

    addError = addFailure


def program() -> int:
    """Run all cases, or those named on the command line."""
    tally = lib.Tally()
    module = sys.modules[__name__]
    loader = unittest.defaultTestLoader
    suite = (loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:]
             else loader.loadTestsFromModule(module))
    suite.run(Counted(tally))
    return tally.summary()


if __name__ == "__main__":
    lib.main(program)
