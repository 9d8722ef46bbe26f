#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The C compiler for kernel builds, through ccache. kbuild names source files by
# their absolute path, so two trees would never share a cached object. It also
# keeps a symlink `source` to the tree in the object directory, where every
# compilation runs: named through that, a file that two trees have in common is
# the same file to ccache, wherever the trees are.
set -euo pipefail
exec ccache gcc "${@//"${abs_srctree:-//}"/source}"
