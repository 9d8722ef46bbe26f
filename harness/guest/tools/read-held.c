// SPDX-License-Identifier: GPL-2.0
/*
 * read-held FILE MAPPED: two direct reads of FILE, each with the device held
 * below dio_fs's, so that it is known what is in flight.
 *
 * The process of the first is killed before there is data. Its pages stay pinned
 * until then, and no pin is left afterwards. Its memory, which its parent has as
 * well, stays as it was there.
 *
 * The second is into a shared mapping of MAPPED, a file of another file system,
 * that is written back before the data comes. When the file is read from its
 * device again, the data is there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE	65536
/* Not near the first read: a server can keep what it has sent in its cache. */
#define SECOND_POS	(1 << 20)
#define FILL	0x5a
#define DEVICE	"dio_selftest_lower"
#define UDEV	" --noudevrules --noudevsync " DEVICE
#define TIMEOUT	200	/* tenths of a second */

struct reading {
	int fd;
	void *data;
	ssize_t result;
};

static void fail(const char *what)
{
	fprintf(stderr, "read-held: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	if (fd < 0 || write(fd, "1", 1) != 1)
		fail("drop_caches");
	close(fd);
}

static void hold(void)
{
	drop_caches();
	if (system("dmsetup suspend --noflush --nolockfs " DEVICE))
		fail("suspend");
}

static void release(void)
{
	if (system("dmsetup resume" UDEV))
		fail("resume");
}

/* Taken and not given back */
static long pins(void)
{
	FILE *file = fopen("/proc/sys/vm/stat_refresh", "r");
	long value, taken = 0, given = 0;
	char name[64];

	if (!file || fgetc(file) != EOF || fclose(file))
		fail("stat_refresh");
	file = fopen("/proc/vmstat", "r");
	if (!file)
		fail("vmstat");
	while (fscanf(file, "%63s %ld", name, &value) == 2) {
		if (!strcmp(name, "nr_foll_pin_acquired"))
			taken = value;
		if (!strcmp(name, "nr_foll_pin_released"))
			given = value;
	}
	fclose(file);
	return taken - given;
}

/* Until the read has its pages, or has let go of them */
static void wait_for_pins(bool some)
{
	int i;

	for (i = 0; i < TIMEOUT; i++) {
		if (!pins() == !some)
			return;
		usleep(100000);
	}
	fail(some ? "no pins are taken" : "pins are left");
}

static void *read_it(void *arg)
{
	struct reading *r = arg;

	r->result = pread(r->fd, r->data, SIZE, SECOND_POS);
	return NULL;
}

static void *anonymous(void)
{
	void *data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED)
		fail("mmap");
	memset(data, FILL, SIZE);
	return data;
}

static void kill_reader(int fd)
{
	unsigned char *data = anonymous();
	int status, i;
	pid_t pid;

	hold();
	pid = fork();
	if (!pid)
		_exit(pread(fd, data, SIZE, 0) != SIZE);
	wait_for_pins(true);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		fail("the reader was not killed");
	if (!pins())
		fail("pages that are read into are not pinned any more");
	release();
	wait_for_pins(false);
	for (i = 0; i < SIZE; i++)
		if (data[i] != FILL)
			fail("memory of the killed process's parent changed");
	munmap(data, SIZE);
}

static void write_back_meanwhile(int fd, const char *path)
{
	unsigned char *want = anonymous(), *got = anonymous();
	struct reading r = { .fd = fd };
	pthread_t thread;
	int mapped;

	mapped = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (mapped < 0 || write(mapped, got, SIZE) != SIZE || fsync(mapped))
		fail(path);
	r.data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
	if (r.data == MAP_FAILED)
		fail("mmap");
	hold();
	pthread_create(&thread, NULL, read_it, &r);
	wait_for_pins(true);
	if (msync(r.data, SIZE, MS_SYNC))
		fail("msync");
	release();
	pthread_join(thread, NULL);
	if (pread(fd, want, SIZE, SECOND_POS) != SIZE)
		fail("read");
	if (r.result != SIZE || memcmp(r.data, want, SIZE))
		fail("the mapping has not what was read");
	munmap(r.data, SIZE);
	close(mapped);
	drop_caches();
	mapped = open(path, O_RDONLY | O_DIRECT);
	if (mapped < 0 || read(mapped, got, SIZE) != SIZE)
		fail(path);
	if (memcmp(got, want, SIZE))
		fail("the mapped file has not what was read");
	close(mapped);
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: read-held FILE MAPPED\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0)
		fail(argv[1]);
	kill_reader(fd);
	write_back_meanwhile(fd, argv[2]);
	return 0;
}
