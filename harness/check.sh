#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Static checks: of the harness, which also has to refuse bad input, of the
# joined series as text, and of the other targets' as far as that needs no base.
# No kernel is built. The last line sums up.
#
# check.sh --text: only the target's series, as far as that needs no base
set -euo pipefail
. "$(dirname "$0")/lib.sh"
load_target
need shellcheck codespell python3 perl
cd "$ROOT"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Words that codespell takes for others: names of the kernel's.
words=inflight,sie

# count COMMAND...: run what prints results and a sum; add the sum to ours
count()
{
	local sum out=$work/count

	"$@" >"$out" || true
	sum=$(tail -n 1 "$out")
	if [[ ! $sum =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		cat "$out"
		failed "$(basename "$1") did not finish"
		return
	fi
	PASSED=$((PASSED + BASH_REMATCH[1]))
	FAILED=$((FAILED + BASH_REMATCH[2]))
	SKIPPED=$((SKIPPED + BASH_REMATCH[3]))
	head -n -1 "$out"
}

# result WHAT COMMAND...: one check; what it says is shown if it fails
result()
{
	local what=$1

	shift
	if "$@" >"$work/said" 2>&1; then
		passed "$what"
	else
		sed 's/^/  /' "$work/said"
		failed "$what"
	fi
}

# files: everything that is the project's, without what is built
files()
{
	find . \( -path ./build -o -path ./.git -o -name __pycache__ \) -prune \
		-o -type f -print
}

# of_kind EXTENSION INTERPRETER: the files of one language
of_kind()
{
	local file

	files | while IFS= read -r file; do
		if [[ $file == *."$1" ]] ||
		   head -c 40 "$file" | head -n 1 | grep -qs "^#!.*$2"; then
			echo "$file"
		fi
	done
}

# has_licence FILE...: each names its licence near its head
has_licence()
{
	local file rc=0

	for file in "$@"; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0' ||
			{ echo "$file has no SPDX line"; rc=1; }
	done
	return "$rc"
}

# spelling PATH...: a list that codespell has nothing to say about
spelling()
{
	codespell --ignore-words-list "$words" "$@"
}

check_harness()
{
	local file sources

	while IFS= read -r file; do
		result "shellcheck: $file" shellcheck "$file"
	done < <(of_kind sh 'sh$'; find harness/fs -type f ! -name README)
	mapfile -t sources < <(of_kind py python)
	count "$HARNESS/check_python.py" "${sources[@]}"
	mapfile -t sources < <(files | grep -E '\.(c|h|py|sh|S)$')
	result "licence: ${#sources[@]} files" has_licence "${sources[@]}"
	mapfile -t sources < <(files | grep -Ev '\.patch$|^./COPYING$')
	result "spelling: ${#sources[@]} files" spelling "${sources[@]}"
}

# check_text TARGET: that series, without its base
check_text()
{
	note "the series of $1, as text"
	TARGET=$1 count "$HARNESS/check_series.py" --text "$tree" "$work/text"
}

# packaged_base: sets tree, the base of a target that has a package. Its
# checkpatch is there without KERNEL_SRC, and knows what older ones do not.
packaged_base()
{
	local packaged

	packaged=$(grep -l '^SOURCE_PACKAGE=.' "$HARNESS"/targets/* | tail -n 1)
	packaged=$(basename "$packaged")
	tree=$ROOT/build/$packaged/base
	[[ -d $tree ]] || TARGET=$packaged KERNEL_SRC='' "$HARNESS/source.sh"
}

# check_all: the harness, and every series
check_all()
{
	local other

	check_harness
	count "$HARNESS/selfcheck.py"
	count "$HARNESS/check_series.py" "$work/text"
	for other in "$HARNESS"/targets/*; do
		other=$(basename "$other")
		[[ $other == "$TARGET" ]] || check_text "$other"
	done
}

mkdir "$work/text"
packaged_base
case ${1:-} in
'')
	check_all
	;;
--text)
	check_text "$TARGET"
	;;
*)
	die "usage: check.sh [--text]"
	;;
esac
result "spelling: the series" spelling "$work/text"
summary
