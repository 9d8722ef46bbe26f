// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into QEMU, whose 9P server is held by that, and into virtiofsd: while
 * there is a file "hold" in the folder $HOLD_CONTROL, nothing is read from or
 * written to a file below $HOLD_SERVED, or any file if that is not set. Meanwhile
 * the folder has a file "reading" or "writing", as long as something waits.
 * $HOLD_SERVED is the folder's real path; the guest sees $HOLD_CONTROL as well.
 *
 * virtiofsd shuts itself in: from its own root it does not see the folder, and
 * there are few system calls that it may make.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define POLL_NS	1000000

typedef ssize_t vector_io(int fd, const struct iovec *iov, int nr, off64_t pos);

static const char * const names[] = { "reading", "writing" };
static int control;

static void __attribute__((constructor)) open_control(void)
{
	control = open(getenv("HOLD_CONTROL"), O_PATH | O_CLOEXEC);
}

static bool is_held(void)
{
	struct stat st;

	return !fstatat(control, "hold", &st, 0);
}

static void wait_until_let_go(void)
{
	const struct timespec interval = { .tv_nsec = POLL_NS };

	while (is_held())
		ppoll(NULL, 0, &interval, NULL);
}

static bool is_served(int fd)
{
	const char *served = getenv("HOLD_SERVED");
	char link[64], path[PATH_MAX] = "";

	if (!served)
		return true;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, path, sizeof(path) - 1) > 0 &&
	       !strncmp(path, served, strlen(served)) &&
	       path[strlen(served)] == '/';
}

/* The first one to wait makes the file, and the last one removes it. */
static void count_waiting(bool write, int change)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int waiting[2];

	pthread_mutex_lock(&lock);
	waiting[write] += change;
	if (waiting[write])
		close(openat(control, names[write], O_WRONLY | O_CREAT, 0600));
	else
		unlinkat(control, names[write], 0);
	pthread_mutex_unlock(&lock);
}

static ssize_t when_let_go(const char *function, bool write, int fd,
			   const struct iovec *iov, int nr, off64_t pos)
{
	vector_io *real = (vector_io *)dlsym(RTLD_NEXT, function);

	if (is_held() && is_served(fd)) {
		count_waiting(write, 1);
		wait_until_let_go();
		count_waiting(write, -1);
	}
	return real(fd, iov, nr, pos);
}

ssize_t preadv64(int fd, const struct iovec *iov, int nr, off64_t pos)
{
	return when_let_go("preadv64", false, fd, iov, nr, pos);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int nr, off64_t pos)
{
	return when_let_go("pwritev64", true, fd, iov, nr, pos);
}
