// SPDX-License-Identifier: GPL-2.0
/*
 * nfs-blkmap PIPE DEVICE: answers the kernel's client of pNFS, which asks through
 * a pipe of rpc_pipefs for the block device that has a signature. It is always
 * this one. It can be asked when the command returns; the process that goes on
 * in the background is printed.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* As in fs/nfs/blocklayout/blocklayout.h */
#define BL_DEVICE_REQUEST_PROC	1

struct bl_dev_msg {
	int32_t status;
	uint32_t major, minor;
};

int main(int argc, char **argv)
{
	struct bl_dev_msg reply = { .status = BL_DEVICE_REQUEST_PROC };
	struct pollfd pipe = { .events = POLLIN };
	char question[4096];
	struct stat st;
	pid_t pid;

	if (argc != 3) {
		fprintf(stderr, "usage: nfs-blkmap PIPE DEVICE\n");
		return 2;
	}
	if (stat(argv[2], &st)) {
		perror(argv[2]);
		return 1;
	}
	reply.major = major(st.st_rdev);
	reply.minor = minor(st.st_rdev);
	pipe.fd = open(argv[1], O_RDWR);
	if (pipe.fd < 0) {
		perror(argv[1]);
		return 1;
	}
	pid = fork();
	if (pid) {
		printf("%d\n", pid);
		return pid < 0;
	}
	fclose(stdout);
	while (poll(&pipe, 1, -1) > 0) {
		if (read(pipe.fd, question, sizeof(question)) <= 0)
			continue;
		/* The kernel asks, and goes to sleep only after that. */
		usleep(100000);
		if (write(pipe.fd, &reply, sizeof(reply)) < 0)
			perror("nfs-blkmap");
	}
	return 1;
}
