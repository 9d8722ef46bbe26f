// SPDX-License-Identifier: GPL-2.0
/*
 * A file system that the test does not know: a command makes it on the device
 * that can be held, mounts it, unmounts it and checks it.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dio_common.h"

#define MAX_ARGS	16
#define MAX_STEP	16

struct dio_given dio_given = {
	.align = DIO_SECTOR,
	.can = DIO_CAN_READ | DIO_CAN_WRITE | DIO_CAN_WAIT | DIO_CAN_QUEUE |
	       DIO_CAN_CREATE | DIO_CAN_GAP | DIO_CAN_JUDGE,
};

static int runner = -1;

static int spawn_step(const char *step, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	char *argv[MAX_ARGS + 4];
	int nr = 0, ret;

	while (dio_given.command[nr] && nr < MAX_ARGS) {
		argv[nr] = dio_given.command[nr];
		nr++;
	}
	argv[nr++] = (char *)step;
	argv[nr++] = (char *)dio_dev_path();
	argv[nr++] = DIO_MOUNT_POINT;
	argv[nr] = NULL;
	ret = posix_spawn_file_actions_init(&actions);
	if (ret)
		return -ret;
	/* What it prints is not part of the report. */
	ret = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO,
					       STDOUT_FILENO);
	if (!ret)
		ret = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -ret;
}

static int run_step(const char *step)
{
	int status = -1, ret;
	pid_t pid;

	ret = spawn_step(step, &pid);
	if (ret)
		return ret;
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return status;
}

/* Until the test has gone */
static void run_steps(int fd)
{
	char step[MAX_STEP] = "";
	int status;

	while (read(fd, step, MAX_STEP - 1) > 0) {
		status = run_step(step);
		if (write(fd, &status, sizeof(status)) != sizeof(status))
			break;
		memset(step, 0, MAX_STEP);
	}
	_exit(0);
}

/*
 * A process that was there before there was a file to test on runs the command.
 * The test would give its open files to whatever it starts, and some file systems
 * wait for writes in flight when anybody closes a file.
 */
static int start_runner(void)
{
	int ends[2], ret;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(ends[0]);
		run_steps(ends[1]);
	}
	ret = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (ret)
		close(ends[0]);
	else
		runner = ends[0];
	return ret;
}

/* Runs the command with the name of the step, the device and the directory. */
int dio_given_step(const char *step)
{
	int status = -1, ret = 0;

	if (runner < 0)
		ret = start_runner();
	if (ret)
		return ret;
	fflush(stdout);
	if (send(runner, step, strlen(step), MSG_NOSIGNAL) < 0 ||
	    read(runner, &status, sizeof(status)) != sizeof(status))
		return -EIO;
	return dio_expect(!status, "%s: status %#x", step, status) ? 0 : -EIO;
}

int dio_given_mount(void)
{
	mkdir(DIO_MOUNT_POINT, 0700);
	return dio_given_step("mount");
}
