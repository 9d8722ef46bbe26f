// SPDX-License-Identifier: GPL-2.0
/*
 * splice() and sendfile() from what is open for direct I/O: the data is right,
 * in the amount that the pipe, the file and the flags allow, and what is in
 * the pipe is nobody else's memory.
 */
#include <signal.h>

#include "dio_splice.h"

static const struct dio_case bdev_cases[] = {
	{ "splice a page", plain_page },
	{ "splice a full pipe", plain_pipe },
	{ "splice 1M", plain_big },
	{ "splice, then write there", plain_own_memory },
	{ "splice across the end", plain_device_end },
	{ "splice far behind the end", plain_far_off },
	{ "splice from misaligned offsets", plain_misaligned },
	{ "splice into a partly full pipe", plain_partly_full },
	{ "splice waits for room", race_wait_for_room },
	{ "splice without a reader", plain_no_reader },
	{ "sendfile to a pipe", plain_send_to_pipe },
	{ "sendfile to a file", plain_send_to_file },
	{ "splice from a cipher", alg_splice },
	{ "splice from FUSE", fuse_splice },
	{ "splice from FUSE through overlayfs", fuse_splice_overlay },
	{ "splice, reader closes in flight", race_close },
	{ "splice, kill in flight", race_kill },
	{ "splice, O_DIRECT off in flight", race_flip_held },
	{ "splice, O_DIRECT flips all the time", race_flip },
};

static const struct dio_case file_cases[] = {
	{ "splice a page", plain_page },
	{ "splice a full pipe", plain_pipe },
	{ "splice 1M", plain_big },
	{ "splice, then write there", plain_own_memory },
	{ "splice across the end", plain_file_end },
	{ "splice far behind the end", plain_far_off },
	{ "splice across holes", plain_hole },
	{ "splice from misaligned offsets", plain_misaligned },
	{ "splice into a partly full pipe", plain_partly_full },
	{ "splice waits for room", race_wait_for_room },
	{ "splice without a reader", plain_no_reader },
	{ "sendfile to a pipe", plain_send_to_pipe },
	{ "sendfile to a file", plain_send_to_file },
	{ "sendfile up to the end", plain_send_to_file_end },
	{ "splice, reader closes in flight", race_close },
	{ "splice, kill in flight", race_kill },
	{ "splice, truncate in flight", race_truncate_held },
	{ "splice, truncate all the time", race_truncate },
	{ "splice, O_DIRECT off in flight", race_flip_held },
	{ "splice, O_DIRECT flips all the time", race_flip },
};

static const struct dio_set sets[] = {
	{ DIO_BDEV, bdev_cases, ARRAY_SIZE(bdev_cases) },
	{ DIO_EXT4, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_XFS, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_EXT2, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_BTRFS, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_OVERLAY, file_cases, ARRAY_SIZE(file_cases) },
};

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	dio_run_sets(sets, ARRAY_SIZE(sets));
}
