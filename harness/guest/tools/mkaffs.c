// SPDX-License-Identifier: GPL-2.0
/*
 * mkaffs DEVICE: an empty volume of the Amiga's Fast File System, with blocks
 * of 4096 bytes: boot block, root block in the middle, bitmap behind it.
 */
#include <endian.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BLOCK		4096
#define WORDS		(BLOCK / 4)
#define RESERVED	2		/* boot blocks */
#define DOS_FFS		0x444f5301	/* "DOS\1" */
#define T_HEADER	2
#define ST_ROOT		1
#define TABLE_SIZE	(WORDS - 56)
#define CHECKSUM	5		/* words of the root block */
#define BITMAP_FLAG	(WORDS - 50)
#define BITMAP_BLOCKS	(WORDS - 49)
#define MAX_BITMAPS	25
#define NAME		(WORDS - 20)
#define BITS		((WORDS - 1) * 32)	/* blocks in a bitmap block */

static uint32_t block[WORDS];

/* The sum of all words is zero. */
static void seal(int checksum_word)
{
	uint32_t sum = 0;
	int i;

	block[checksum_word] = 0;
	for (i = 0; i < WORDS; i++)
		sum += be32toh(block[i]);
	block[checksum_word] = htobe32(-sum);
}

static int put(int fd, uint64_t nr)
{
	ssize_t ret = pwrite(fd, block, BLOCK, nr * BLOCK);

	memset(block, 0, sizeof(block));
	return ret == BLOCK ? 0 : -1;
}

static int put_boot(int fd)
{
	block[0] = htobe32(DOS_FFS);
	return put(fd, 0);
}

static int put_root(int fd, uint32_t root, uint32_t bitmaps)
{
	uint32_t i;

	block[0] = htobe32(T_HEADER);
	block[3] = htobe32(TABLE_SIZE);
	block[BITMAP_FLAG] = htobe32(-1);
	for (i = 0; i < bitmaps; i++)
		block[BITMAP_BLOCKS + i] = htobe32(root + 1 + i);
	memcpy(&block[NAME], "\3dio", 4);
	block[WORDS - 1] = htobe32(ST_ROOT);
	seal(CHECKSUM);
	return put(fd, root);
}

/* A bit is set for each free block, counted from behind the boot blocks. */
static int put_bitmap(int fd, uint32_t nr, uint32_t blocks, uint32_t root,
		      uint32_t bitmaps)
{
	uint32_t bit, at;

	for (bit = 0; bit < BITS; bit++) {
		at = RESERVED + nr * BITS + bit;
		if (at < blocks && (at < root || at > root + bitmaps))
			block[1 + bit / 32] |= htobe32(1U << bit % 32);
	}
	seal(0);
	return put(fd, root + 1 + nr);
}

int main(int argc, char **argv)
{
	uint32_t blocks, root, bitmaps, i;
	uint64_t bytes = 0;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: mkaffs DEVICE\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes)) {
		perror(argv[1]);
		return 1;
	}
	blocks = bytes / BLOCK;
	root = (RESERVED + blocks - 1) / 2;
	bitmaps = (blocks - RESERVED + BITS - 1) / BITS;
	if (bitmaps > MAX_BITMAPS) {
		fprintf(stderr, "%s: too large\n", argv[1]);
		return 1;
	}
	if (put_boot(fd) || put_root(fd, root, bitmaps))
		goto failed;
	for (i = 0; i < bitmaps; i++)
		if (put_bitmap(fd, i, blocks, root, bitmaps))
			goto failed;
	return fsync(fd) ? 1 : 0;
failed:
	perror(argv[1]);
	return 1;
}
