// SPDX-License-Identifier: GPL-2.0
/*
 * A file system that the test does not know: a command makes it on the device
 * that can be held, mounts it, unmounts it and checks it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dio_common.h"

#define MAX_ARGS	16

struct dio_given dio_given = {
	.align = DIO_SECTOR,
	.can = DIO_CAN_READ | DIO_CAN_WRITE | DIO_CAN_WAIT | DIO_CAN_QUEUE |
	       DIO_CAN_CREATE | DIO_CAN_GAP | DIO_CAN_JUDGE,
};

static void exec_step(const char *step)
{
	char *argv[MAX_ARGS + 4];
	int nr = 0;

	while (dio_given.command[nr] && nr < MAX_ARGS) {
		argv[nr] = dio_given.command[nr];
		nr++;
	}
	argv[nr++] = (char *)step;
	argv[nr++] = (char *)dio_dev_path();
	argv[nr++] = DIO_MOUNT_POINT;
	argv[nr] = NULL;
	/* What it prints is not part of the report. */
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

/* Runs the command with the name of the step, the device and the directory. */
int dio_given_step(const char *step)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		exec_step(step);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return dio_expect(!status, "%s: status %#x", step, status) ? 0 : -EIO;
}

int dio_given_mount(void)
{
	mkdir(DIO_MOUNT_POINT, 0700);
	return dio_given_step("mount");
}
