# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What every shell script of the harness shares. Sourced, never run.
# It sets ROOT, HARNESS, TARGET, OUT (build/<target>) and LOGS.

HARNESS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ROOT=$(dirname "$HARNESS")
TARGET=${TARGET:-6.1}
OUT=$ROOT/build/$TARGET
LOGS=$OUT/log
: "${KERNEL_SRC:=}"
export TARGET KERNEL_SRC LOGS LC_ALL=C.UTF-8

# git as if nobody had configured it, whatever repository it is called in; and
# never taking this repository for one that should be below build/.
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_PREFIX
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1
export GIT_CEILING_DIRECTORIES=$OUT GIT_TERMINAL_PROMPT=0 GIT_PAGER=cat GIT_CONFIG_COUNT=4
export GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
export GIT_CONFIG_KEY_1=core.attributesFile GIT_CONFIG_VALUE_1=/dev/null
export GIT_CONFIG_KEY_2=core.excludesFile GIT_CONFIG_VALUE_2=/dev/null
export GIT_CONFIG_KEY_3=core.hooksPath GIT_CONFIG_VALUE_3=/dev/null

# Two builds of the same source give the same objects, and so ccache hits.
# LOCALVERSION is set, and empty: the tree's git history stays out of uname.
export KBUILD_BUILD_TIMESTAMP='1970-01-01 00:00:00 UTC'
export KBUILD_BUILD_USER=dio-pin KBUILD_BUILD_HOST=dio-pin LOCALVERSION=
export CCACHE_BASEDIR=$OUT CCACHE_NOHASHDIR=1

# die MESSAGE...: bad input, or nothing that can be done here
die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 2
}

# elapsed SECONDS: as m:ss
elapsed()
{
	printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

# note MESSAGE...: progress, with the time since the script began
note()
{
	printf '[%5s] %s\n' "$(elapsed "$SECONDS")" "$*"
}

# need COMMAND...: refuse to go on without them
need()
{
	local tool

	for tool in "$@"; do
		command -v "$tool" >/dev/null ||
			die "$tool is not installed; 'make deps' installs what is needed"
	done
}

# load_target: the facts of $TARGET, as variables
load_target()
{
	local facts=$HARNESS/targets/$TARGET

	if [[ ! $TARGET =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ || ! -f $facts ]]; then
		die "no target '$TARGET'; there is: $(ls -x "$HARNESS/targets")"
	fi
	# shellcheck source=harness/targets/6.1
	. "$facts"
}

# fragments NAME...: the files of these configurations: NAME.config, and what the
# target adds to it, if it does
fragments()
{
	local name own

	for name in "$@"; do
		own=$HARNESS/config/$name-$TARGET.config
		echo "$HARNESS/config/$name.config"
		[[ ! -f $own ]] || echo "$own"
	done
}

# fs_words NAME: the words that the file systems' descriptions have for NAME
fs_words()
{
	sed -n "s/^$1=//p" "$HARNESS"/fs/* | tr -d '"' | tr -s ' ' '\n' | sed '/^$/d' | sort -u
}

# lost_options FRAGMENT... CONFIG: requested options that the configuration does
# not have. Where two fragments name one option, the later counts.
lost_options()
{
	awk '
	function symbol(line) {
		sub(/^# /, "", line)
		sub(/[= ].*/, "", line)
		return line
	}
	!/^(# )?CONFIG_[A-Za-z0-9_]+(=| is not set$)/ { next }
	FILENAME == ARGV[ARGC - 1] { have[symbol($0)] = $0; next }
	{ want[symbol($0)] = $0 }
	END {
		for (s in want) {
			off = "# " s " is not set"
			if (want[s] != ((s in have) ? have[s] : off))
				print want[s]
		}
	}' "$@" | sort
}

# disk_full LOG: did the last command fail for want of space?
disk_full()
{
	local free

	grep -qs 'No space left on device' "$1" && return 0
	free=$(df --output=avail -k "$(dirname "$1")" | tail -n 1)
	((free < 1024))
}

# tick TITLE LOG: every half minute, say that the step is still at it.
# The parent kills it; it also ends by itself when the parent is gone.
tick()
{
	local since=$SECONDS

	while sleep 30 >/dev/null 2>&1 && kill -0 "$$" 2>/dev/null; do
		note "  $1: $(elapsed $((SECONDS - since))), at:" \
		     "$(tail -n 1 "$2" 2>/dev/null | tr -d '\r' | cut -c 1-80)"
	done
}

# watch TITLE LOG COMMAND...: run it, all output to LOG; it only says anything
# when it takes long. Returns the command's status; a full disk ends the script.
watch()
{
	local title=$1 log=$2 rc=0 ticker

	shift 2
	mkdir -p "$(dirname "$log")"
	tick "$title" "$log" &
	ticker=$!
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	# Not TERM: early enough, bash runs the parent's EXIT trap for that.
	kill -KILL "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	if ((rc != 0)) && disk_full "$log"; then
		die "$title: no space left on device; free some and start again"
	fi
	return "$rc"
}

# attempt TITLE LOG COMMAND...: the same, and says when it begins and ends
attempt()
{
	local title=$1 since=$SECONDS

	note "$title"
	watch "$@" || return
	note "$title: done in $(elapsed $((SECONDS - since)))"
}

# step TITLE LOG COMMAND...: the same; a failure shows the log's end and name
step()
{
	local rc=0

	attempt "$@" || rc=$?
	if ((rc != 0)); then
		tail -n 15 "$2" >&2 || true
		printf '%s: %s failed (status %d); the log: %s\n' \
		       "${0##*/}" "$1" "$rc" "$2" >&2
	fi
	return "$rc"
}

# Counting for scripts that check: each result is one line.
PASSED=0 FAILED=0 SKIPPED=0

passed()
{
	PASSED=$((PASSED + 1))
	note "ok    $*"
}

failed()
{
	FAILED=$((FAILED + 1))
	note "FAIL  $*"
}

skipped()
{
	SKIPPED=$((SKIPPED + 1))
	note "skip  $*"
}

# summary: the last line of such a script, and its status
summary()
{
	echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
	((FAILED == 0 && PASSED > 0))
}
