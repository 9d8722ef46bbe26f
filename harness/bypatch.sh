#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bypatch.sh: patch by patch. The series applies with git am and, at fuzz 0, with
# quilt to the oldest and the newest package that the archive offers, or to the
# base where there is no package; after each patch a small kernel builds, and so
# do the files it touches in a larger one, where sparse and W=1 say nothing that
# they do not say about the base; after each stage it starts, and its own tests
# pass; at the end it builds without an MMU and without the block layer. The last
# line sums up.
#
# All patches share one work tree and two object directories, so that each
# build compiles only what its patch changes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
load_target

linux=$OUT/linux
step=$OUT/step
cache=$ROOT/build/cache

# kmake OBJECTS ARGUMENT...: make in the work tree
kmake()
{
	local obj=$OUT/obj-$1

	shift
	make -C "$step" O="$obj" -j"$(nproc)" "$@"
}

# native OBJECTS ARGUMENT...: the same, for this machine
native()
{
	local obj=$1

	shift
	kmake "$obj" CC="$HARNESS/cc.sh" "$@"
}

# nommu OBJECTS ARGUMENT...: the same, for a machine that can lack an MMU
nommu()
{
	local obj=$1

	shift
	kmake "$obj" ARCH="$NOMMU_ARCH" CROSS_COMPILE="$NOMMU_CROSS-" \
		CC="ccache $NOMMU_CROSS-gcc" "$@"
}

# configure MAKER OBJECTS NAME...: tinyconfig and these configurations; a result
# that is what is there already keeps its time stamp, so nothing is rebuilt
configure()
{
	local maker=$1 obj=$2 config=$OUT/obj-$2/.config files

	shift 2
	mkdir -p "$OUT/obj-$obj"
	mapfile -t files < <(fragments "$@")
	if [[ -f $config ]]; then
		cp -p "$config" "$config.before" || return
	fi
	"$maker" "$obj" tinyconfig &&
	cat "${files[@]}" >>"$config" &&
	"$maker" "$obj" olddefconfig || return
	if cmp -s "$config" "$config.before"; then
		mv "$config.before" "$config"
	fi
}

# check_configuration OBJECTS NAME...: has it all that they ask for?
check_configuration()
{
	local obj=$1 files lost

	shift
	mapfile -t files < <(fragments "$@")
	lost=$(lost_options "${files[@]}" "$OUT/obj-$obj/.config")
	if [[ $lost ]]; then
		failed "configuration $obj, which lost:" "${lost//$'\n'/, }"
	else
		passed "configuration $obj"
	fi
}

# The kernel of each patch, with the tests that it has by then.
bypatch=(bypatch "kunit-$TARGET")

# configure_both: for the kernel of each patch, and for inspection
configure_both()
{
	configure native bypatch "${bypatch[@]}" &&
	configure native inspect "${bypatch[@]}" inspect
}

# fresh_step: the work tree, at the base
fresh_step()
{
	note "work tree at the base"
	git -C "$linux" worktree prune
	if ! git -C "$step" rev-parse -q --verify HEAD >/dev/null 2>&1; then
		rm -rf "$step"
		git -C "$linux" worktree add -q --no-checkout --detach "$step" base
	fi
	git -C "$step" reset -q --hard base
	git -C "$step" clean -q -f -d -x
}

# at COMMIT: move the work tree
at()
{
	git -C "$step" checkout -q --detach "$1"
}

# touched COMMIT...: the C files in it that kernels are built from, but for those
# that are of other architectures
touched()
{
	git -C "$linux" show --format= --name-only --diff-filter=AM "$@" |
		grep -E '^(block|crypto|drivers|fs|init|io_uring|ipc|kernel|lib|mm|net|security|virt|arch/x86)/.*\.c$' |
		grep -vxF "${ELSEWHERE//:/$'\n'}" |
		sort -u || true
}

# existing: of the paths on stdin, those that the work tree has
existing()
{
	local path

	while IFS= read -r path; do
		[[ ! -f $step/$path ]] || echo "$path"
	done
}

# inspect LOG FILE...: compile these with sparse and W=1. make does not say so
# when the configuration leaves one out.
inspect()
{
	local file jobs=() log=$1

	shift
	if (($# == 0)); then
		: >"$log"
		return
	fi
	# drivers/Makefile has block/aoe beside block, and the makes for either
	# compile what is named in it: not both at a time.
	if [[ " $*" == *" drivers/block/aoe/"* ]]; then
		jobs=(-j1)
	fi
	watch "sparse, W=1 on $# files" "$log" \
		native inspect -k "${jobs[@]}" C=2 W=1 "${@/%.c/.o}" || return
	for file in "$@"; do
		if ! grep -q "^  CHECK .*/$file\$" "$log"; then
			echo "error: $file: not in this configuration" >>"$log"
			return 1
		fi
	done
}

# build_patch COMMIT LOG FILE...: the kernel, and the files it touches; $name is
# the patch's
build_patch()
{
	local commit=$1 log=$2

	shift 2
	at "$commit" || return
	if git -C "$linux" show --format= --name-only "$commit" |
	   grep -q Kconfig; then
		configure_both >"$log.config" 2>&1 || return
	fi
	watch "$name" "$log.build" native bypatch vmlinux || return
	inspect "$log.inspect" "$@"
}

# one_patch NUMBER COMMIT: build it and look at the files it touches
one_patch()
{
	local name files log=$LOGS/bypatch-$1 begun=$SECONDS

	name="$1/$total $(git -C "$linux" show -s --format=%s "$2")"
	mapfile -t files < <(touched "$2")
	rm -f "$log".*
	if build_patch "$2" "$log" "${files[@]}"; then
		passed "builds: $name ($(elapsed $((SECONDS - begun))))"
	else
		grep -hE 'error:|Error|No rule' "$log".* | head -n 10 || true
		failed "builds: $name; the logs: $log.*"
		return
	fi
	if "$HARNESS/new_reports.py" "$LOGS/bypatch-base.inspect" "$log.inspect"; then
		passed "sparse, W=1: $name"
	else
		failed "sparse, W=1: $name; the log: $log.inspect"
	fi
}

# stage_ends: the number of each stage's last patch
stage_ends()
{
	awk '/^[^#]/ { n++ } /^# Stage/ && n { print n } END { print n }' \
		"$OUT/series/series"
}

# start_kernel STAGE: build what can be booted, and boot it
start_kernel()
{
	native bypatch bzImage && "$HARNESS/stage.py" bypatch "$1"
}

# one_stage NUMBER STAGE: the kernel after this patch, which ends that stage
one_stage()
{
	local log=$LOGS/bypatch-$1.boot

	if watch "boot after patch $1" "$log" start_kernel "$2"; then
		passed "starts: $1/$total, $(tail -n 1 "$log")"
	else
		tail -n 5 "$log"
		failed "starts: $1/$total; the log: $log"
	fi
}

each_patch()
{
	local commits all ends commit number=0 stage=0 total

	mapfile -t commits < <(git -C "$linux" rev-list --reverse base..HEAD)
	total=${#commits[@]}
	((total > 0)) || return 0
	step "configure" "$LOGS/bypatch.config" configure_both
	mapfile -t ends < <(stage_ends)
	mapfile -t all < <(touched "${commits[@]}" | existing)
	inspect "$LOGS/bypatch-base.inspect" "${all[@]}" ||
		die "the base is not compiled; the log: $LOGS/bypatch-base.inspect"
	for commit in "${commits[@]}"; do
		number=$((number + 1))
		one_patch "$number" "$commit"
		if [[ ${ends[stage]:-} == "$number" ]]; then
			stage=$((stage + 1))
			one_stage "$number" "$stage"
		fi
	done
	check_configuration bypatch "${bypatch[@]}"
	check_configuration inspect "${bypatch[@]}" inspect
}

# variant NAME MAKER: build the whole series in another configuration. Where
# the base does not build either, nothing can be said.
variant()
{
	local name=$1 maker=$2 log=$LOGS/bypatch-$1

	configure "$maker" "$name" "$name" >"$log.config" 2>&1 || true
	check_configuration "$name" "$name"
	if attempt "build $name" "$log.build" "$maker" "$name" vmlinux; then
		passed "builds: $name"
		return
	fi
	fresh_step
	if attempt "build $name, base" "$log.base" "$maker" "$name" vmlinux; then
		tail -n 15 "$log.build"
		failed "builds: $name; the log: $log.build"
	else
		skipped "builds: $name: the base does not either"
	fi
	at "$(git -C "$linux" rev-parse HEAD)"
}

# tarball VERSION: the source of that version of the package, to stdout; the
# installed one is there, another is fetched once
tarball()
{
	local package=$cache/${SOURCE_PACKAGE}_$1_all.deb

	if [[ -f $SOURCE_TARBALL &&
	      $(dpkg-query -W -f '${Version}' "$SOURCE_PACKAGE") == "$1" ]]; then
		cat "$SOURCE_TARBALL"
		return
	fi
	if [[ ! -f $package ]]; then
		mkdir -p "$cache/new" &&
		(cd "$cache/new" && apt-get -q download "$SOURCE_PACKAGE=$1" >&2) &&
		mv "$cache"/new/*.deb "$package" || return
	fi
	dpkg-deb --fsys-tarfile "$package" | tar -x -O ".$SOURCE_TARBALL"
}

# unpack_touched VERSION DIR: the files that the series touches, from the
# package of that version, or from the base
unpack_touched()
{
	git -C "$linux" log --format= --name-only --diff-filter=MD base..HEAD |
		sort -u >"$OUT/touched"
	if [[ -z $SOURCE_PACKAGE ]]; then
		tar -c -C "$OUT/base" --files-from "$OUT/touched" |
			tar -x -C "$2"
		return
	fi
	sed -i "s|^|$SOURCE_PACKAGE/|" "$OUT/touched"
	tarball "$1" | tar -x -J -C "$2" --strip-components=1 \
		--files-from "$OUT/touched"
}

# versions: what quilt is tried on
versions()
{
	if [[ -z $SOURCE_PACKAGE ]]; then
		head -n 1 "$OUT/base.from"
		return
	fi
	apt-cache madison "$SOURCE_PACKAGE" | awk '{ print $3 }' | sort -V |
		sed -n '1p;$p' | uniq
}

# push_all DIR: quilt, at fuzz 0
push_all()
{
	cd "$1"
	QUILT_PATCHES=$OUT/series QUILTRC=/dev/null quilt push -a --fuzz=0
}

check_quilt()
{
	local tried version dir log

	mapfile -t tried < <(versions)
	if ((${#tried[@]} == 0)); then
		failed "quilt: the archive offers no $SOURCE_PACKAGE"
	fi
	for version in "${tried[@]}"; do
		dir=$(mktemp -d "$OUT/quilt.XXXXXX")
		log=$LOGS/bypatch-quilt-$version.log
		if attempt "unpack ${SOURCE_PACKAGE:-base} $version" "$log" \
			   unpack_touched "$version" "$dir" &&
		   (push_all "$dir") >>"$log" 2>&1; then
			passed "quilt push -a at fuzz 0: $version"
		else
			tail -n 5 "$log"
			failed "quilt push -a at fuzz 0: $version; the log: $log"
		fi
		rm -rf "$dir"
	done
}

need git make gcc ccache sparse quilt "$NOMMU_CROSS-gcc"
"$HARNESS/source.sh"
"$HARNESS/tree.py" --anew
passed "git am: $(git -C "$linux" rev-list --count base..HEAD) patches on" \
       "$(head -n 1 "$OUT/base.from")"
check_quilt
"$HARNESS/guest/build.sh"
fresh_step
each_patch
variant noblock native
variant nommu nommu
summary
