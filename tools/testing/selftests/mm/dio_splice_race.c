// SPDX-License-Identifier: GPL-2.0
/* splice() from direct I/O while the file or the pipe changes. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dio_splice.h"

#define ROUNDS		200
#define SETTLE_MS	50	/* until the other side is done, or waits */
#define RACE_SIZE	(16 * DIO_PAGE)

/* The two sides of a race; either may have to wait for the other's locks. */
struct race {
	int fd;
	struct splice_pipe pipe;
	off_t pos;
	ssize_t ret;
	int other_ret;
	bool stop;
};

static void *splice_thread(void *arg)
{
	struct race *r = arg;

	r->ret = splice_from(r->fd, r->pos, &r->pipe, PIPE_SIZE, 0);
	return NULL;
}

static void *close_thread(void *arg)
{
	struct race *r = arg;

	r->other_ret = close(r->pipe.out);
	return NULL;
}

static void *truncate_thread(void *arg)
{
	struct race *r = arg;

	r->other_ret = ftruncate(r->fd, 0);
	return NULL;
}

static void *flip_off_thread(void *arg)
{
	struct race *r = arg;

	r->other_ret = fcntl(r->fd, F_SETFL, 0);
	return NULL;
}

/* @other happens while the splice is in flight. */
static bool run_held(struct race *r, void *(*other)(void *))
{
	pthread_t splicer, second;
	bool held;

	if (!splice_pipe_open(&r->pipe, PIPE_SIZE))
		return false;
	dio_dev_hold();
	pthread_create(&splicer, NULL, splice_thread, r);
	held = !dio_dev_wait_held(false);
	pthread_create(&second, NULL, other, r);
	dio_sleep_ms(SETTLE_MS);
	dio_dev_release();
	pthread_join(splicer, NULL);
	pthread_join(second, NULL);
	return dio_expect(held, "not held") &&
	       dio_expect(!r->other_ret, "the other side failed");
}

bool race_close(struct dio_run *run)
{
	struct race r = { .fd = run->fd, .pos = DIO_READ_POS };
	bool good = run_held(&r, close_thread);

	close(r.pipe.in);
	return good && dio_expect(r.ret == PIPE_SIZE || r.ret == -EPIPE,
				  "result %zd", r.ret);
}

/* The data was on its way before the file shrank. */
bool race_truncate_held(struct dio_run *run)
{
	struct race r = {
		.fd = dio_scratch_create(0, PIPE_SIZE, PIPE_SIZE),
	};
	bool good;

	good = dio_expect(r.fd >= 0, "scratch: %s", strerror(-r.fd)) &&
	       run_held(&r, truncate_thread) &&
	       dio_expect(r.ret == PIPE_SIZE, "result %zd", r.ret) &&
	       splice_holds(&r.pipe, r.ret, 0);
	if (good) {
		r.ret = splice_from(r.fd, 0, &r.pipe, PIPE_SIZE, 0);
		good = dio_expect(!r.ret, "result after it %zd", r.ret);
	}
	splice_pipe_close(&r.pipe);
	close(r.fd);
	return good;
}

bool race_flip_held(struct dio_run *run)
{
	struct race r = { .fd = run->fd, .pos = DIO_READ_POS };
	bool good;

	good = run_held(&r, flip_off_thread) &&
	       dio_expect(r.ret == PIPE_SIZE, "result %zd", r.ret) &&
	       splice_holds(&r.pipe, r.ret, DIO_READ_POS);
	splice_pipe_close(&r.pipe);
	return good;
}

/* The splicing process dies with the read in flight. */
bool race_kill(struct dio_run *run)
{
	struct splice_pipe p;
	int status = 0;
	bool held;
	pid_t pid;

	if (!splice_pipe_open(&p, PIPE_SIZE))
		return false;
	dio_dev_hold();
	pid = fork();
	if (!pid) {
		splice_from(run->fd, DIO_READ_POS, &p, PIPE_SIZE, 0);
		_exit(0);
	}
	held = !dio_dev_wait_held(false);
	kill(pid, SIGKILL);
	dio_dev_release();
	waitpid(pid, &status, 0);
	splice_pipe_close(&p);
	return dio_expect(held, "not held") &&
	       dio_expect(WIFSIGNALED(status), "status %#x", status);
}

/* A splice into a full pipe goes on when somebody reads. */
bool race_wait_for_room(struct dio_run *run)
{
	struct race r = { .fd = run->fd, .pos = DIO_READ_POS + PIPE_SIZE };
	pthread_t splicer;
	ssize_t first;
	bool good;

	if (!splice_pipe_open(&r.pipe, PIPE_SIZE))
		return false;
	first = splice_from(r.fd, DIO_READ_POS, &r.pipe, PIPE_SIZE, 0);
	pthread_create(&splicer, NULL, splice_thread, &r);
	dio_sleep_ms(SETTLE_MS);
	good = dio_expect(first == PIPE_SIZE, "result %zd", first) &&
	       splice_holds(&r.pipe, first, DIO_READ_POS);
	pthread_join(splicer, NULL);
	good = good && dio_expect(r.ret > 0, "result %zd", r.ret) &&
	       splice_holds(&r.pipe, r.ret, r.pos);
	splice_pipe_close(&r.pipe);
	return good;
}

static bool stopped(struct race *r)
{
	return __atomic_load_n(&r->stop, __ATOMIC_ACQUIRE);
}

static void *flipping_thread(void *arg)
{
	struct race *r = arg;

	while (!stopped(r)) {
		fcntl(r->fd, F_SETFL, 0);
		fcntl(r->fd, F_SETFL, O_DIRECT);
	}
	return NULL;
}

static void *truncating_thread(void *arg)
{
	struct race *r = arg;

	while (!stopped(r)) {
		if (ftruncate(r->fd, DIO_PAGE) || ftruncate(r->fd, RACE_SIZE))
			r->other_ret = -1;
	}
	return NULL;
}

static bool run_racing(struct race *r, void *(*other)(void *),
		       bool (*round)(struct race *))
{
	pthread_t thread;
	bool good = true;
	int i;

	if (!splice_pipe_open(&r->pipe, PIPE_SIZE))
		return false;
	pthread_create(&thread, NULL, other, r);
	for (i = 0; i < ROUNDS && good; i++)
		good = round(r);
	__atomic_store_n(&r->stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	splice_pipe_close(&r->pipe);
	return good && dio_expect(!r->other_ret, "the other side failed");
}

static bool flip_round(struct race *r)
{
	r->ret = splice_from(r->fd, r->pos, &r->pipe, RACE_SIZE, 0);
	return dio_expect(r->ret > 0, "result %zd", r->ret) &&
	       splice_holds(&r->pipe, r->ret, r->pos);
}

bool race_flip(struct dio_run *run)
{
	struct race r = { .fd = run->fd, .pos = DIO_READ_POS };

	return run_racing(&r, flipping_thread, flip_round);
}

/* Behind the first page there are zeros by now, or nothing. */
static bool truncate_round(struct race *r)
{
	unsigned char data[RACE_SIZE];
	ssize_t got;

	r->ret = splice_from(r->fd, 0, &r->pipe, RACE_SIZE, 0);
	if (!dio_expect(r->ret >= (ssize_t)DIO_PAGE, "result %zd", r->ret))
		return false;
	got = read(r->pipe.out, data, RACE_SIZE);
	return dio_expect(got == r->ret, "%zd of %zd in the pipe", got,
			  r->ret) &&
	       dio_expect(dio_pattern_is(data, DIO_PAGE, 0) &&
			  dio_all_is(data + DIO_PAGE, got - DIO_PAGE, 0),
			  "wrong data");
}

bool race_truncate(struct dio_run *run)
{
	struct race r = {
		.fd = dio_scratch_create(0, DIO_PAGE, RACE_SIZE),
	};
	bool good;

	good = dio_expect(r.fd >= 0, "scratch: %s", strerror(-r.fd)) &&
	       run_racing(&r, truncating_thread, truncate_round);
	close(r.fd);
	return good;
}
