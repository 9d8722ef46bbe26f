// SPDX-License-Identifier: GPL-2.0
/*
 * nvme-read DEVICE: reads the first page of an NVMe name space by a command that
 * is passed through.
 */
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define READ		0x02
#define SIZE		4096
#define BLOCKS		(SIZE / 512)

int main(int argc, char **argv)
{
	struct nvme_passthru_cmd cmd = {
		.opcode = READ,
		.nsid = 1,
		.addr = (uintptr_t)aligned_alloc(SIZE, SIZE),
		.data_len = SIZE,
		.cdw12 = BLOCKS - 1,
	};
	int fd, ret;

	if (argc != 2 || !cmd.addr) {
		fprintf(stderr, "usage: nvme-read DEVICE\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY);
	ret = fd < 0 ? -1 : ioctl(fd, NVME_IOCTL_IO_CMD, &cmd);
	if (ret < 0)
		perror(argv[1]);
	else if (ret)
		fprintf(stderr, "%s: status %#x\n", argv[1], ret);
	return ret ? 1 : 0;
}
