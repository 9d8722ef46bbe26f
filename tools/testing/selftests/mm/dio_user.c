// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O from and into every kind of user memory: the data is right, the
 * pages were pinned, and no pin is left behind.
 */
#include "dio_user.h"

static const struct dio_case bdev_cases[] = {
	{ "read into partly unmapped memory", edge_read_unmapped },
	{ "read, unmapped behind 280 pages", edge_read_unmapped_big },
	{ "write from partly unmapped memory", edge_write_unmapped },
	{ "read, a segment unmapped", edge_segment_unmapped },
	{ "read into misaligned memory", edge_read_misaligned },
	{ "write from misaligned memory", edge_write_misaligned },
	{ "read into read-only memory", edge_read_only },
	{ "read across the end", edge_device_end },
	{ "write from untouched memory", source_zero },
	{ "write from partly untouched memory", source_zero_mixed },
	{ "write from the huge zero page", source_zero_huge },
	{ "64 writes from untouched memory in flight", source_zero_in_flight },
	{ "write from memory shared with a child", source_forked },
	{ "write from memory shared by KSM", source_ksm },
	{ "write from mapped page cache", source_page_cache },
	{ "read, 10000 segments in a page", segments_read },
	{ "write, 10000 segments in a page", segments_write },
	{ "2200000 holds of a page in flight", limit_pins },
	{ "munmap in flight, libaio", dest_munmap },
	{ "munmap in flight, io_uring", dest_munmap_uring },
	{ "kill in flight, read", dest_kill },
	{ "kill in flight, libaio", dest_kill_aio },
	{ "kill in flight, io_uring", dest_kill_uring },
	{ "read into shmem", dest_shmem },
	{ "read into a private file mapping", dest_private_file },
	{ "read into a shared file mapping", dest_shared_file },
	{ "read into a file that is truncated", dest_shared_file_truncate },
	{ "read into DAX", dest_dax },
	{ "read into a DAX file that is truncated", dest_dax_truncate },
};

static const struct dio_case file_cases[] = {
	{ "read into partly unmapped memory", edge_read_unmapped },
	{ "read, unmapped behind 280 pages", edge_read_unmapped_big },
	{ "write from partly unmapped memory", edge_write_unmapped },
	{ "read, a segment unmapped", edge_segment_unmapped },
	{ "read into misaligned memory", edge_read_misaligned },
	{ "write from misaligned memory", edge_write_misaligned },
	{ "read into read-only memory", edge_read_only },
	{ "read across the end", edge_file_end },
	{ "read across holes", edge_hole },
	{ "write a part of a block", edge_sub_block },
	{ "write a part of a new block", edge_sub_block_extend },
	{ "write a part of a hole", edge_sub_block_hole },
	{ "write from untouched memory", source_zero },
	{ "write from partly untouched memory", source_zero_mixed },
	{ "64 writes from untouched memory in flight", source_zero_in_flight },
	{ "write from memory shared with a child", source_forked },
	{ "write from memory shared by KSM", source_ksm },
	{ "write from mapped page cache", source_page_cache },
	{ "read, 10000 segments in a page", segments_read },
	{ "write, 10000 segments in a page", segments_write },
	{ "munmap in flight, libaio", dest_munmap },
	{ "kill in flight, read", dest_kill },
	{ "kill in flight, libaio", dest_kill_aio },
	{ "read into shmem", dest_shmem },
	{ "read into a shared file mapping", dest_shared_file },
	{ "read into DAX", dest_dax },
};

/* Slow, so not everywhere: this one is for fs/direct-io.c. */
static const struct dio_case limit_cases[] = {
	{ "2200000 holds of a page in flight", limit_pins },
};

static const struct dio_case btrfs_cases[] = {
	{ "write from untouched memory", source_zero },
	{ "write from memory shared with a child", source_forked_direct },
	{ "write from memory shared by KSM", source_ksm_direct },
	{ "munmap in flight, libaio", dest_munmap },
};

static const struct dio_case loop_cases[] = {
	{ "read into partly unmapped memory", edge_read_unmapped },
	{ "write from untouched memory", source_zero },
	{ "write from memory shared with a child", source_forked },
	{ "read, 10000 segments in a page", segments_read },
	{ "write, 10000 segments in a page", segments_write },
	{ "munmap in flight, libaio", dest_munmap },
};

static const struct dio_case sg_cases[] = {
	{ "read into partly unmapped memory", edge_read_unmapped },
	{ "read into misaligned memory", edge_read_misaligned },
	{ "write from untouched memory", source_zero },
	{ "write from memory shared with a child", source_forked },
	{ "read, 10000 segments in a page", segments_read },
	{ "write, 10000 segments in a page", segments_write },
	{ "munmap in flight", dest_munmap },
	{ "kill in flight", dest_kill },
};

static const struct dio_set sets[] = {
	{ DIO_BDEV, bdev_cases, ARRAY_SIZE(bdev_cases) },
	{ DIO_EXT4, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_XFS, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_EXT2, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_EXT2, limit_cases, ARRAY_SIZE(limit_cases) },
	{ DIO_VFAT, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_BTRFS, btrfs_cases, ARRAY_SIZE(btrfs_cases) },
	{ DIO_LOOP, loop_cases, ARRAY_SIZE(loop_cases) },
	{ DIO_SG, sg_cases, ARRAY_SIZE(sg_cases) },
};

int main(void)
{
	dio_run_sets(sets, ARRAY_SIZE(sets));
}
