// SPDX-License-Identifier: GPL-2.0
/*
 * splice() from a FUSE file that its server opened for direct I/O, which is so
 * whatever the flags of the file. The server, a process of its own, has one
 * file with the pattern, and answers a read when the test lets it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dio_splice.h"

#define FUSE_DIR	"/tmp/dio_selftest_fuse"
#define OVERLAY_DIR	"/tmp/dio_selftest_overlay"
#define FILE_NAME	"file"
#define FILE_NODE	(FUSE_ROOT_ID + 1)
#define FILE_SIZE	(3 * PIPE_SIZE + 700)
#define WAIT_SECONDS	10

/* What test and server share. */
struct control {
	bool hold;
	bool held;
};

struct fuse_server {
	struct control *control;
	pid_t pid;
};

/* A request as it comes, a reply as it goes, and where both are read. */
struct exchange {
	int fd;
	struct control *control;
	struct fuse_in_header *in;
	const void *arg;
};

static void set(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELEASE);
}

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

/* An error goes without data. */
static void reply(struct exchange *x, int error, void *data, size_t len)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + len,
		.error = error,
		.unique = x->in->unique,
	};
	struct iovec iov[] = { { &out, sizeof(out) }, { data, len } };

	/* The request may have been interrupted, and is gone then. */
	if (writev(x->fd, iov, len ? 2 : 1) < 0 && errno != ENOENT)
		_exit(1);
}

static struct fuse_attr attr_of(uint64_t node)
{
	if (node == FILE_NODE)
		return (struct fuse_attr) {
			.ino = node,
			.mode = S_IFREG | 0600,
			.nlink = 1,
			.size = FILE_SIZE,
			.blocks = FILE_SIZE / DIO_SECTOR,
		};
	return (struct fuse_attr) {
		.ino = node,
		.mode = S_IFDIR | 0700,
		.nlink = 2,
	};
}

static void serve_init(struct exchange *x)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = DIO_PAGE,
	};

	reply(x, 0, &out, sizeof(out));
}

static void serve_lookup(struct exchange *x)
{
	struct fuse_entry_out out = {
		.nodeid = FILE_NODE,
		.entry_valid = WAIT_SECONDS,
		.attr_valid = WAIT_SECONDS,
		.attr = attr_of(FILE_NODE),
	};

	if (strcmp(x->arg, FILE_NAME))
		reply(x, -ENOENT, NULL, 0);
	else
		reply(x, 0, &out, sizeof(out));
}

static void serve_getattr(struct exchange *x)
{
	struct fuse_attr_out out = { .attr = attr_of(x->in->nodeid) };

	reply(x, 0, &out, sizeof(out));
}

static void serve_statfs(struct exchange *x)
{
	struct fuse_statfs_out out = {
		.st = { .bsize = DIO_PAGE, .namelen = NAME_MAX },
	};

	reply(x, 0, &out, sizeof(out));
}

static void serve_open(struct exchange *x)
{
	struct fuse_open_out out = { .open_flags = FOPEN_DIRECT_IO };

	reply(x, 0, &out, sizeof(out));
}

static void serve_read(struct exchange *x)
{
	const struct fuse_read_in *in = x->arg;
	size_t len = 0;
	void *data;

	if (in->offset < FILE_SIZE)
		len = FILE_SIZE - in->offset;
	if (len > in->size)
		len = in->size;
	data = malloc(len + 1);
	if (!data)
		_exit(1);
	dio_pattern_fill(data, len, in->offset);
	set(&x->control->held, true);
	while (is_set(&x->control->hold))
		dio_sleep_ms(1);
	reply(x, 0, data, len);
	free(data);
}

static void serve(struct exchange *x)
{
	switch (x->in->opcode) {
	case FUSE_INIT:
		return serve_init(x);
	case FUSE_LOOKUP:
		return serve_lookup(x);
	case FUSE_GETATTR:
		return serve_getattr(x);
	case FUSE_STATFS:
		return serve_statfs(x);
	case FUSE_OPEN:
		return serve_open(x);
	case FUSE_READ:
		return serve_read(x);
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		return reply(x, 0, NULL, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;		/* these have no reply */
	default:
		reply(x, -EOPNOTSUPP, NULL, 0);
	}
}

/* Ends when the file system is unmounted, or with the test. */
static void run_server(int fd, struct control *control)
{
	static char buffer[FUSE_MIN_READ_BUFFER + DIO_PAGE];
	struct exchange x = {
		.fd = fd,
		.control = control,
		.in = (void *)buffer,
		.arg = buffer + sizeof(struct fuse_in_header),
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fd, buffer, sizeof(buffer)) > 0 || errno == ENOENT)
		serve(&x);
	_exit(0);
}

/* What is there of an earlier test that was killed goes, too. */
static void clear(void)
{
	while (!umount2(OVERLAY_DIR, MNT_DETACH) ||
	       !umount2(FUSE_DIR, MNT_DETACH))
		;
	rmdir(OVERLAY_DIR);
	rmdir(FUSE_DIR);
}

static void server_stop(struct fuse_server *server)
{
	clear();
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	munmap(server->control, sizeof(*server->control));
}

static bool server_start(struct fuse_server *server)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[80];
	bool mounted;

	if (!dio_need(fd >= 0, "no FUSE: %s", strerror(errno)))
		return false;
	clear();
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	mkdir(FUSE_DIR, 0700);
	mounted = !mount("none", FUSE_DIR, "fuse", 0, options);
	if (!dio_expect(mounted, "mount FUSE: %s", strerror(errno))) {
		close(fd);
		return false;
	}
	server->control = mmap(NULL, sizeof(*server->control),
			       PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	server->pid = server->control == MAP_FAILED ? -1 : fork();
	if (!server->pid)
		run_server(fd, server->control);
	/* Once the server has gone, requests fail instead of waiting. */
	close(fd);
	if (server->pid < 0)
		clear();
	return dio_expect(server->pid > 0, "server: %s", strerror(errno));
}

struct splicer {
	int fd;
	struct splice_pipe pipe;
	ssize_t ret;
};

static void *splice_thread(void *arg)
{
	struct splicer *s = arg;

	s->ret = splice_from(s->fd, PIPE_SIZE, &s->pipe, PIPE_SIZE, 0);
	return NULL;
}

static bool wait_held(struct control *control)
{
	double deadline = dio_now() + WAIT_SECONDS;

	while (!is_set(&control->held) && dio_now() < deadline)
		dio_sleep_ms(1);
	return dio_expect(is_set(&control->held), "the server got no read");
}

/* Nothing is in the pipe before the data is there. */
static bool splice_held(int fd, struct control *control)
{
	struct splicer s = { .fd = fd };
	struct pollfd poller = { .events = POLLIN };
	pthread_t thread;
	bool good;

	if (!splice_pipe_open(&s.pipe, PIPE_SIZE))
		return false;
	set(&control->held, false);
	set(&control->hold, true);
	pthread_create(&thread, NULL, splice_thread, &s);
	poller.fd = s.pipe.out;
	good = wait_held(control) &&
	       dio_expect(!poll(&poller, 1, 0), "the pipe is filled too early");
	set(&control->hold, false);
	pthread_join(thread, NULL);
	good = good && dio_expect(s.ret == PIPE_SIZE, "result %zd", s.ret) &&
	       splice_holds(&s.pipe, s.ret, PIPE_SIZE);
	splice_pipe_close(&s.pipe);
	return good;
}

/* Short at the end, and nothing behind it. */
static bool splice_end(int fd)
{
	struct splice_pipe p;
	ssize_t ret, behind;
	bool good;

	if (!splice_pipe_open(&p, PIPE_SIZE))
		return false;
	ret = splice_from(fd, FILE_SIZE - 1000, &p, PIPE_SIZE, 0);
	behind = splice_from(fd, FILE_SIZE, &p, PIPE_SIZE, 0);
	good = dio_expect(ret == 1000 && !behind, "results %zd, %zd", ret,
			  behind) &&
	       splice_holds(&p, ret, FILE_SIZE - 1000);
	splice_pipe_close(&p);
	return good;
}

static bool send_all(int fd)
{
	int out = memfd_create("dio_splice", 0);
	off_t pos = 0;
	ssize_t ret = sendfile(out, fd, &pos, 2 * FILE_SIZE);
	void *map;
	bool good;

	map = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, out, 0);
	close(out);
	good = dio_expect(ret == FILE_SIZE, "result %zd", ret) &&
	       dio_expect(map != MAP_FAILED &&
			  dio_pattern_is(map, FILE_SIZE, 0), "wrong data");
	munmap(map, FILE_SIZE);
	return good;
}

static bool check_file(const char *path, struct control *control)
{
	int fd = open(path, O_RDONLY);
	bool good;

	good = dio_expect(fd >= 0, "%s: %s", path, strerror(errno)) &&
	       splice_held(fd, control) && splice_end(fd) && send_all(fd);
	close(fd);
	return good;
}

bool fuse_splice(struct dio_run *run)
{
	struct fuse_server server;
	bool good;

	if (!server_start(&server))
		return false;
	good = check_file(FUSE_DIR "/" FILE_NAME, server.control);
	server_stop(&server);
	return good;
}

/* overlayfs knows nothing of what the server wants, and need not. */
bool fuse_splice_overlay(struct dio_run *run)
{
	struct fuse_server server;
	bool good;

	if (!server_start(&server))
		return false;
	mkdir(OVERLAY_DIR, 0700);
	good = dio_expect(!mount("none", OVERLAY_DIR, "overlay", MS_RDONLY,
				 "lowerdir=" FUSE_DIR ":/tmp"),
			  "mount overlay: %s", strerror(errno)) &&
	       check_file(OVERLAY_DIR "/" FILE_NAME, server.control);
	server_stop(&server);
	return good;
}
