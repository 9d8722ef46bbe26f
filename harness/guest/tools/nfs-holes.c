// SPDX-License-Identifier: GPL-2.0
/*
 * nfs-holes FILE: a direct read of a file in which blocks and holes alternate,
 * into memory that begins 512 bytes into a page, so that holes begin within
 * pages. All of the holes reads as zero, and all of the blocks as was written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK	4096
#define BLOCKS	16
#define SIZE	(BLOCKS * BLOCK)
#define SHIFT	512
#define BEFORE	0x5a

static int written(int block)
{
	return block % 4 == 1 || block == BLOCKS - 1;
}

static int make(const char *path, unsigned char *data)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
	int i;

	for (i = 0; fd >= 0 && i < BLOCKS; i++) {
		memset(data, 'A' + i, BLOCK);
		if (written(i) && pwrite(fd, data, BLOCK, i * BLOCK) != BLOCK)
			return -1;
	}
	return fd < 0 || fsync(fd) ? -1 : fd;
}

int main(int argc, char **argv)
{
	unsigned char *data = aligned_alloc(BLOCK, SIZE + BLOCK);
	int wrong = 0;
	int fd, i;

	if (argc != 2 || !data) {
		fprintf(stderr, "usage: nfs-holes FILE\n");
		return 2;
	}
	fd = make(argv[1], data);
	memset(data, BEFORE, SIZE + BLOCK);
	data += SHIFT;
	if (fd < 0 || pread(fd, data, SIZE, 0) != SIZE) {
		fprintf(stderr, "nfs-holes: %s\n", strerror(errno));
		return 1;
	}
	for (i = 0; i < SIZE; i++)
		wrong += data[i] != (written(i / BLOCK) ? 'A' + i / BLOCK : 0);
	if (wrong)
		fprintf(stderr, "nfs-holes: %d bytes are wrong\n", wrong);
	return wrong > 0;
}
