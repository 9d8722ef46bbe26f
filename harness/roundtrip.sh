#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The round trip: a tree made anew from the sources, refreshed, changes none
# of them. Nothing is written; the last line sums up.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
load_target
"$HARNESS/source.sh"
"$HARNESS/tree.py" --anew
exec "$HARNESS/refresh.py" --check
