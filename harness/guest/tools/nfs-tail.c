// SPDX-License-Identifier: GPL-2.0
/*
 * nfs-tail FILE: a direct write of the last part of a file, less than a page,
 * out of the middle of a page of memory. The file has that, and nothing else
 * has changed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK	4096
#define SIZE	10000
#define TAIL	(2 * BLOCK)
#define SHIFT	512
#define BEFORE	0x5a

/* All of it has blocks that the client may write to by itself. */
static int make(const char *path, unsigned char *data)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);

	memset(data, 'A', 3 * BLOCK);
	if (fd < 0 || pwrite(fd, data, 3 * BLOCK, 0) != 3 * BLOCK ||
	    ftruncate(fd, SIZE) || fsync(fd))
		return -1;
	return fd;
}

static int write_tail(int fd, unsigned char *data)
{
	memset(data, BEFORE, BLOCK);
	memset(data + SHIFT, 'B', SIZE - TAIL);
	if (pwrite(fd, data + SHIFT, SIZE - TAIL, TAIL) != SIZE - TAIL)
		return -1;
	return fsync(fd);
}

int main(int argc, char **argv)
{
	unsigned char *data = aligned_alloc(BLOCK, 3 * BLOCK);
	int fd, i, wrong = 0;

	if (argc != 2 || !data) {
		fprintf(stderr, "usage: nfs-tail FILE\n");
		return 2;
	}
	fd = make(argv[1], data);
	if (fd < 0 || write_tail(fd, data) ||
	    pread(fd, data, 3 * BLOCK, 0) != SIZE) {
		fprintf(stderr, "nfs-tail: %s\n", strerror(errno));
		return 1;
	}
	for (i = 0; i < SIZE; i++)
		wrong += data[i] != (i < TAIL ? 'A' : 'B');
	if (wrong)
		fprintf(stderr, "nfs-tail: %d bytes are wrong\n", wrong);
	return wrong > 0;
}
