// SPDX-License-Identifier: GPL-2.0
/* The cases of dio_fork: target by target, what is done how to which memory. */
#include "dio_fork.h"

/*
 * Where in its pages the memory lies. Reads leave room for a store elsewhere;
 * ext4 waits for a write from memory that is not aligned to its blocks, so
 * only whole pages can be written there without a thread.
 */
const struct fork_shape fork_shapes[] = {
	[PART]		= { "3584 bytes", 0, 3584, 0, 1 },
	[OFF512]	= { "1024 bytes at offset 512", 512, 1024, 0, 1 },
	[PAGES]		= { "64K at offset 512", 512, 65536, 0, 1 },
	[BIG]		= { "1536K at offset 512", 512, 1536 << 10, 0, 1 },
	[WHOLE]		= { "1536K", 0, 1536 << 10, 0, 1 },
	[SHARED]	= { "3 segments in a page", 0, 512, 1024, 3 },
	[ADJOINING]	= { "3 adjoining segments in a page", 512, 512, 512, 3 },
	[MANY]		= { "300 segments", 0, 3584, 4096, 300 },
	[FULL_4K]	= { "4K", 0, 4096, 0, 1 },
	[FULL_64K]	= { "64K", 0, 65536, 0, 1 },
};

static const struct fork_case bdev_cases[] = {
	{ R, DIO_READ, DIO_MEM_4K, PART, STAYS },
	{ R, DIO_READ, DIO_MEM_4K, PART, EXITS },
	{ R, DIO_READ, DIO_MEM_4K, PART, WRITES },
	{ R, DIO_READ, DIO_MEM_4K, PAGES, STAYS },
	{ R, DIO_READ, DIO_MEM_4K, BIG, STAYS },
	{ R, DIO_READ, DIO_MEM_THP, OFF512, STAYS },
	{ R, DIO_READ, DIO_MEM_THP, BIG, EXITS },
	{ R, DIO_READ, DIO_MEM_HUGETLB, OFF512, STAYS },
	{ R, DIO_PREADV, DIO_MEM_4K, SHARED, STAYS },
	{ R, DIO_PREADV, DIO_MEM_4K, ADJOINING, EXITS },
	{ R, DIO_PREADV, DIO_MEM_4K, MANY, STAYS },
	{ R, DIO_AIO, DIO_MEM_4K, PART, STAYS },
	{ R, DIO_AIO, DIO_MEM_4K, PAGES, EXITS },
	{ R, DIO_AIO, DIO_MEM_4K, BIG, WRITES },
	{ R, DIO_AIO, DIO_MEM_4K, MANY, STAYS },
	{ R, DIO_AIO, DIO_MEM_THP, PAGES, EXITS },
	{ R, DIO_AIO, DIO_MEM_HUGETLB, BIG, STAYS },
	{ R, DIO_AIO, DIO_MEM_HUGETLB, PAGES, EXITS },
	{ R, DIO_URING, DIO_MEM_4K, PART, STAYS },
	{ R, DIO_URING, DIO_MEM_4K, OFF512, EXITS },
	{ R, DIO_URING, DIO_MEM_4K, SHARED, WRITES },
	{ R, DIO_URING, DIO_MEM_4K, BIG, STAYS },
	{ R, DIO_URING, DIO_MEM_THP, PAGES, WRITES },
	{ R, DIO_URING, DIO_MEM_HUGETLB, OFF512, WRITES },
	{ R, DIO_URING_FIXED, DIO_MEM_4K, PART, STAYS },
	{ R, DIO_URING_FIXED, DIO_MEM_4K, BIG, WRITES },
	{ R, DIO_URING_FIXED, DIO_MEM_THP, PAGES, EXITS },
	{ R, DIO_URING_FIXED, DIO_MEM_HUGETLB, OFF512, STAYS },
	{ W, DIO_READ, DIO_MEM_4K, PART, WRITES },
	{ W, DIO_READ, DIO_MEM_4K, BIG, WRITES },
	{ W, DIO_PREADV, DIO_MEM_4K, SHARED, WRITES },
	{ W, DIO_AIO, DIO_MEM_THP, PAGES, WRITES },
	{ W, DIO_URING, DIO_MEM_HUGETLB, OFF512, WRITES },
	{ W, DIO_URING_FIXED, DIO_MEM_4K, PAGES, WRITES },
};

static const struct fork_case file_cases[] = {
	{ R, DIO_READ, DIO_MEM_4K, PART, STAYS },
	{ R, DIO_READ, DIO_MEM_4K, BIG, EXITS },
	{ R, DIO_READ, DIO_MEM_THP, OFF512, WRITES },
	{ R, DIO_PREADV, DIO_MEM_4K, SHARED, WRITES },
	{ R, DIO_PREADV, DIO_MEM_4K, MANY, STAYS },
	{ R, DIO_AIO, DIO_MEM_4K, OFF512, STAYS },
	{ R, DIO_AIO, DIO_MEM_THP, PAGES, EXITS },
	{ R, DIO_AIO, DIO_MEM_HUGETLB, BIG, STAYS },
	{ R, DIO_URING, DIO_MEM_4K, PAGES, EXITS },
	{ R, DIO_URING, DIO_MEM_HUGETLB, OFF512, STAYS },
	{ R, DIO_URING_FIXED, DIO_MEM_4K, PART, STAYS },
	{ W, DIO_READ, DIO_MEM_4K, PART, WRITES },
	{ W, DIO_AIO, DIO_MEM_4K, WHOLE, WRITES },
};

static const struct fork_case loop_cases[] = {
	{ R, DIO_READ, DIO_MEM_4K, PART, STAYS },
	{ R, DIO_READ, DIO_MEM_4K, BIG, STAYS },
	{ R, DIO_READ, DIO_MEM_THP, PAGES, WRITES },
	{ R, DIO_PREADV, DIO_MEM_4K, SHARED, EXITS },
	{ R, DIO_AIO, DIO_MEM_4K, PAGES, WRITES },
	{ R, DIO_AIO, DIO_MEM_HUGETLB, OFF512, STAYS },
	{ R, DIO_URING, DIO_MEM_4K, OFF512, STAYS },
	{ R, DIO_URING_FIXED, DIO_MEM_4K, PART, STAYS },
	{ W, DIO_AIO, DIO_MEM_4K, PAGES, WRITES },
};

static const struct fork_case sg_cases[] = {
	{ R, DIO_SGIO, DIO_MEM_4K, PART, STAYS },
	{ R, DIO_SGIO, DIO_MEM_4K, PART, EXITS },
	{ R, DIO_SGIO, DIO_MEM_4K, OFF512, WRITES },
	{ R, DIO_SGIO, DIO_MEM_4K, PAGES, STAYS },
	{ R, DIO_SGIO, DIO_MEM_4K, SHARED, STAYS },
	{ R, DIO_SGIO, DIO_MEM_4K, ADJOINING, STAYS },
	{ R, DIO_SGIO, DIO_MEM_THP, PAGES, EXITS },
	{ R, DIO_SGIO, DIO_MEM_HUGETLB, OFF512, STAYS },
	{ W, DIO_SGIO, DIO_MEM_4K, PAGES, WRITES },
};

const struct fork_set fork_sets[FORK_NR_SETS] = {
	{ DIO_BDEV, bdev_cases, ARRAY_SIZE(bdev_cases) },
	{ DIO_EXT4, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_XFS, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_EXT2, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_VFAT, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_LOOP, loop_cases, ARRAY_SIZE(loop_cases) },
	{ DIO_SG, sg_cases, ARRAY_SIZE(sg_cases) },
};
