#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh KIND [modules]: build the kernel KIND of $TARGET, and the guest that
# boots on every kind. Objects are in build/<target>/obj-KIND. With "modules",
# also the kernel's modules and what else the guest has for file systems.
#
#   stock    the base, as it is
#   patched  base and series, with the configuration of stock
#   debug    patched, with what finds mistakes
#   kunit    base and series, with little else than the kernel's own tests
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest/stage.sh"

# What a make that called this was told is not meant for the makes below.
unset MAKEFLAGS MFLAGS MAKELEVEL

# Options that the guest's programs name themselves.
SELFTESTS=$OUT/linux/tools/testing/selftests/mm/config
# And those of the file systems, as modules.
FS_CONFIG=$OUT/fs.config

# fs_config: modules, and options that the file systems' descriptions name, as
# far as the kernel has them; none if the target is not tested on them
fs_config()
{
	local known

	[[ $FILE_SYSTEMS ]] || return 0
	echo CONFIG_MODULES=y
	echo CONFIG_MODULE_UNLOAD=y
	known=$(find "$TREE" -path "$TREE/drivers/staging" -prune -o -name 'Kconfig*' \
			-exec grep -hE '^[[:space:]]*(menu)?config ' {} + |
		awk '{ print $2 }' | sort -u)
	fs_words CONFIG | awk -F= 'NR == FNR { known[$1]; next }
		$1 in known { print "CONFIG_" $0 }' <(echo "$known") -
}

# choose KIND: sets TREE, FRAGMENTS, and OBJECTS, which is roughly what a build
# from nothing compiles: progress is shown against it
choose()
{
	TREE=$OUT/linux
	mapfile -t FRAGMENTS < <(fragments guest)
	FRAGMENTS+=("$FS_CONFIG" "$SELFTESTS")
	OBJECTS=1600
	case $1 in
	stock)
		TREE=$OUT/base
		;;
	patched)
		;;
	debug)
		mapfile -t -O "${#FRAGMENTS[@]}" FRAGMENTS < <(fragments debug kasan)
		OBJECTS=1700
		;;
	kunit)
		mapfile -t FRAGMENTS < <(fragments kunit kasan)
		OBJECTS=1050
		;;
	*)
		die "no kernel kind '$1'; there is: stock patched debug kunit"
		;;
	esac
	[[ -f $TREE/Makefile ]] ||
		die "${TREE#"$ROOT"/} is missing; 'make tree' makes it"
	fs_config >"$FS_CONFIG"
}

kmake()
{
	make -C "$TREE" O="$OBJ" CC="$HARNESS/cc.sh" "$@"
}

# A configuration that is what is there already keeps its time stamp, so that
# nothing is done again.
configure()
{
	local lost

	if [[ -f $OBJ/.config ]]; then
		cp -p "$OBJ/.config" "$OBJ/.config.before" || return
	fi
	kmake tinyconfig &&
	"$TREE/scripts/kconfig/merge_config.sh" -m -O "$OBJ" "$OBJ/.config" \
		"${FRAGMENTS[@]}" &&
	kmake olddefconfig || return
	if cmp -s "$OBJ/.config" "$OBJ/.config.before"; then
		mv "$OBJ/.config.before" "$OBJ/.config"
	fi
	lost=$(lost_options "${FRAGMENTS[@]}" "$OBJ/.config")
	if [[ $lost ]]; then
		echo "Options that did not survive in $OBJ/.config:"
		echo "$lost"
		return 1
	fi
}

# Numbers the compiled files in the log, whose last line shows how far it is.
compile()
{
	kmake -j"$(nproc)" bzImage 2>&1 | awk -v all="$OBJECTS" '
	/^  (CC|AS) / { n++; printf("%d of about %d:", n, (n > all ? n : all)) }
	{ print; fflush() }'
}

compile_modules()
{
	local stage=$OBJ/modules

	rm -rf "$stage"
	kmake -j"$(nproc)" modules &&
	kmake INSTALL_MOD_PATH="$stage" INSTALL_MOD_STRIP=1 modules_install &&
	rm -f "$stage"/lib/modules/*/{build,source} &&
	pack "$stage" "$OBJ/modules.cpio"
}

case $#:${2:-} in
1: | 2:modules) ;;
*) die "usage: build.sh KIND [modules]" ;;
esac
KIND=$1
load_target
choose "$KIND"
need make gcc ccache flex bison bc
OBJ=$OUT/obj-$KIND
mkdir -p "$OBJ"
step "configure $KIND" "$LOGS/configure-$KIND.log" configure
step "build $KIND" "$LOGS/build-$KIND.log" compile
"$HARNESS/guest/build.sh"
if [[ ${2:-} ]]; then
	need depmod
	step "build $KIND's modules" "$LOGS/modules-$KIND.log" compile_modules
	"$HARNESS/guest/fs-build.sh"
fi
