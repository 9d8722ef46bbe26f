// SPDX-License-Identifier: GPL-2.0
/*
 * write-corrupted DEVICE BYTE: writes directly to a device that changes the
 * first byte of a write to BYTE. That must be on the device afterwards, and not
 * in the memory that was written from.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE	4096
#define POS	(16 << 20)
#define FILL	0x5a

int main(int argc, char **argv)
{
	unsigned char *data = aligned_alloc(SIZE, SIZE);
	int fd;

	if (argc != 3 || !data) {
		fprintf(stderr, "usage: write-corrupted DEVICE BYTE\n");
		return 2;
	}
	memset(data, FILL, SIZE);
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0 || pwrite(fd, data, SIZE, POS) != SIZE) {
		perror(argv[1]);
		return 1;
	}
	if (data[0] != FILL) {
		fprintf(stderr, "the memory changed\n");
		return 1;
	}
	if (pread(fd, data, SIZE, POS) != SIZE || data[0] != atoi(argv[2]) ||
	    data[1] != FILL) {
		fprintf(stderr, "not what should be on the device\n");
		return 1;
	}
	return 0;
}
