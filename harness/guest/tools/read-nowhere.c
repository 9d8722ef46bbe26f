// SPDX-License-Identifier: GPL-2.0
/*
 * read-nowhere FILE: direct reads of a file to where there is no memory. None
 * at all must give EFAULT, and none behind the first page a read that is short.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE	4096

int main(int argc, char **argv)
{
	unsigned char *data;
	ssize_t ret;
	int fd;

	data = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (argc != 2 || data == MAP_FAILED || munmap(data + SIZE, SIZE)) {
		fprintf(stderr, "usage: read-nowhere FILE\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	ret = pread(fd, data + SIZE, SIZE, 0);
	if (ret != -1 || errno != EFAULT) {
		fprintf(stderr, "%zd bytes read to nowhere\n", ret);
		return 1;
	}
	ret = pread(fd, data, 2 * SIZE, 0);
	if (ret != SIZE) {
		fprintf(stderr, "%zd bytes read, %d were to be\n", ret, SIZE);
		return 1;
	}
	return 0;
}
