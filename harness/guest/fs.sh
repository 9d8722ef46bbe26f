#!/sbin/dash
# SPDX-License-Identifier: GPL-2.0
#
# fs NAME[+GROUP]: runs dio_fs, or only one group of its cases, on the file system
# that /fs/NAME describes. dio_fs calls this again for each step: fs NAME STEP
# DEVICE DIRECTORY. What a description can say is in harness/fs/README. The shell
# is not busybox's, which has small versions of some of the tools built in.
set -eu

name=${1%+*}
TYPE=$name
MOUNT=noatime
OPTIONS=

# Kernel modules are loaded when they are needed.
echo /bin/modprobe >/proc/sys/kernel/modprobe

do_mount()
{
	mount -t "$TYPE" -o "$MOUNT" "$1" "$2"
}

do_unmount()
{
	umount "$2"
}

do_prepare()
{
	:
}

# null_blk SETTING...: makes /dev/dio_null, which keeps what is written to it
disk=/sys/kernel/config/nullb/dio_null
null_blk()
{
	mkdir "$disk"
	for setting in "$@" memory_backed=1; do
		echo "${setting#*=}" >"$disk/${setting%%=*}"
	done
	echo 1 >"$disk/power"
}

# map_device NAME TABLE: makes a device-mapper device, and prints its node; the
# links that udev would make are not there
map_device()
{
	dmsetup create --noudevrules --noudevsync "$1" --table "$2"
	echo "/dev/$(grep -lx "$1" /sys/block/dm-*/dm/name | cut -d / -f 4)"
}

unmap_device()
{
	dmsetup remove --noudevrules --noudevsync "$1"
}

# bind_cache DIRECTORY: has cachefiles use it, for as long as somebody has the
# file open through which it was told so
bind_cache()
{
	exec 3<>/dev/cachefiles
	echo "dir $1" >&3
	echo bind >&3
	sleep 1000000 &
	echo $! >"$1.pid"
	exec 3>&-
}

# And unmounts it, which is possible when cachefiles has let go of it
unbind_cache()
{
	kill "$(cat "$1.pid")"
	rm "$1.pid"
	tries=100
	until umount "$1"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ]
		sleep 0.1
	done
}

# Makes the device to stand on, if that is not RAM disks.
do_device()
{
	:
}

# And takes it away.
do_release()
{
	[ ! -d "$disk" ] || rmdir "$disk"
}

# shellcheck source=/dev/null
. "/fs/$name"

if [ $# = 1 ]; then
	do_device
	export ONLY=
	if [ "$name" != "$1" ]; then
		ONLY=${1#*+}
		OPTIONS="$OPTIONS -o $ONLY"
	fi
	status=0
	# shellcheck disable=SC2086 # it is several words, or none
	dio_fs $OPTIONS "$name" "$0" "$name" || status=$?
	do_release
	exit "$status"
fi
step=$2
shift 2
"do_$step" "$@"
