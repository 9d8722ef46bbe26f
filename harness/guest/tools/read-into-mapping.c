// SPDX-License-Identifier: GPL-2.0
/*
 * read-into-mapping FILE OTHER HOLD RELEASE: an asynchronous direct read of FILE
 * into a page of the page cache of OTHER. When it ends, the page is under
 * writeback, and another task, which has it locked, waits for that. HOLD and
 * RELEASE are commands for what both files are on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE		4096
#define TIMEOUT		20	/* seconds */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void run(const char *command)
{
	if (system(command)) {
		fprintf(stderr, "failed: %s\n", command);
		exit(1);
	}
}

/* A page of a file that is there in full, and dirty */
static unsigned char *map_page(int fd)
{
	unsigned char *page;

	if (ftruncate(fd, PAGE) || fsync(fd))
		fail("new file");
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		fail("mmap");
	memset(page, 1, PAGE);
	return page;
}

static void start_read(aio_context_t context, int fd, void *page)
{
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = fd,
		.aio_buf = (unsigned long)page,
		.aio_nbytes = PAGE,
	};
	struct iocb *list = &iocb;

	if (syscall(SYS_io_submit, context, 1, &list) != 1)
		fail("io_submit");
}

static int is_blocked(pid_t pid)
{
	char path[64], text[512], *at = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		fail(path);
	if (fgets(text, sizeof(text), file))
		at = strrchr(text, ')');
	fclose(file);
	return at && at[2] == 'D';
}

/* In a task of its own, which waits with the page locked */
static pid_t start_punch(int fd)
{
	pid_t pid = fork();
	int i;

	if (pid < 0)
		fail("fork");
	if (!pid)
		_exit(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				0, PAGE) != 0);
	for (i = 0; i < TIMEOUT * 100; i++) {
		usleep(10000);
		if (is_blocked(pid) && (usleep(200000), is_blocked(pid)))
			return pid;
	}
	fprintf(stderr, "nobody waits for the writeback\n");
	exit(1);
}

static void finish_read(aio_context_t context)
{
	struct timespec timeout = { .tv_sec = TIMEOUT };
	struct io_event event;

	if (syscall(SYS_io_getevents, context, 1, 1, &event, &timeout) != 1) {
		fprintf(stderr, "the read does not end\n");
		exit(1);
	}
	if (event.res != PAGE) {
		fprintf(stderr, "the read ended with %lld\n", event.res);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	aio_context_t context = 0;
	int fd, other, status;
	unsigned char *page;
	pid_t punch;

	if (argc != 5) {
		fprintf(stderr, "usage: read-into-mapping FILE OTHER HOLD RELEASE\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	other = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || other < 0 || syscall(SYS_io_setup, 1, &context))
		fail(argv[1]);
	page = map_page(other);
	run(argv[3]);
	start_read(context, fd, page);
	if (sync_file_range(other, 0, PAGE, SYNC_FILE_RANGE_WRITE))
		fail("sync_file_range");
	punch = start_punch(other);
	run(argv[4]);
	finish_read(context);
	if (waitpid(punch, &status, 0) != punch || status)
		fail("fallocate");
	return unlink(argv[2]) ? 1 : 0;
}
