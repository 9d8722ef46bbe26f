// SPDX-License-Identifier: GPL-2.0
/*
 * aio-read FILE: copies a file of less than 64 KiB to standard output, read by one
 * asynchronous direct read.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALIGNMENT	4096
#define SIZE		65536

/* What the read returned, or a negative value */
static long read_first(int fd, void *data)
{
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)data,
		.aio_nbytes = SIZE,
	};
	struct iocb *iocbs[] = { &iocb };
	struct io_event event;
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, 1, &context) ||
	    syscall(SYS_io_submit, context, 1, iocbs) != 1 ||
	    syscall(SYS_io_getevents, context, 1, 1, &event, NULL) != 1)
		return -1;
	return event.res;
}

int main(int argc, char **argv)
{
	void *data = aligned_alloc(ALIGNMENT, SIZE);
	long size;
	int fd;

	if (argc != 2 || !data) {
		fprintf(stderr, "usage: aio-read FILE\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	size = fd < 0 ? -1 : read_first(fd, data);
	if (size < 0 || write(STDOUT_FILENO, data, size) != size) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
