// SPDX-License-Identifier: GPL-2.0
/*
 * More pins of one page than its reference count can hold: each counts 1024
 * there. The I/O that would come near the limit has to be refused.
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dio_user.h"

#define READS		2200
#define SEGMENTS	1000	/* 2200 * 1000 * 1024 > 2^31 */
#define SETTLE_MS	1000	/* without another one submitted */

struct limit {
	unsigned long ctx;
	struct iocb cb;
	struct iovec iov[SEGMENTS];
	int submitted;
	int error;
};

static void prepare(struct dio_run *run, struct limit *l)
{
	int i;

	memset(l, 0, sizeof(*l));
	for (i = 0; i < SEGMENTS; i++) {
		l->iov[i].iov_base = run->buf.data;
		l->iov[i].iov_len = DIO_SECTOR;
	}
	l->cb.aio_fildes = run->fd;
	l->cb.aio_lio_opcode = IOCB_CMD_PREADV;
	l->cb.aio_buf = (uintptr_t)l->iov;
	l->cb.aio_nbytes = SEGMENTS;
	l->cb.aio_offset = DIO_READ_POS;
}

/* Until one is refused. It may wait for its own first part before it fails. */
static void *submit_thread(void *arg)
{
	struct limit *l = arg;
	struct iocb *cb = &l->cb;

	while (l->submitted < READS && !l->error) {
		if (syscall(SYS_io_submit, l->ctx, 1, &cb) == 1)
			__atomic_add_fetch(&l->submitted, 1, __ATOMIC_RELAXED);
		else
			l->error = errno;
	}
	return NULL;
}

static void submit_all(struct limit *l)
{
	pthread_t thread;
	int before, now = 0;

	dio_dev_hold();
	pthread_create(&thread, NULL, submit_thread, l);
	do {
		before = now;
		dio_sleep_ms(SETTLE_MS);
		now = __atomic_load_n(&l->submitted, __ATOMIC_RELAXED);
	} while (now != before);
	dio_dev_release();
	pthread_join(thread, NULL);
}

static bool refusal(long long res)
{
	return res == -ENOMEM || res == -EFAULT || res == -EIO;
}

/* A refused read can also be one that completes with the error, or short. */
static bool complete(struct limit *l, int *whole)
{
	struct io_event event;
	bool good = true;
	int nr;

	for (*whole = 0, nr = l->submitted; nr; nr--) {
		if (syscall(SYS_io_getevents, l->ctx, 1, 1, &event, NULL) != 1)
			return false;
		if (event.res == SEGMENTS * DIO_SECTOR)
			++*whole;
		else if (event.res <= 0 && !refusal(event.res))
			good = dio_expect(false, "result %lld", event.res);
	}
	return good;
}

bool limit_pins(struct dio_run *run)
{
	struct limit l;
	bool good;
	int whole;

	if (!dio_run_buffer(run, DIO_MEM_4K, DIO_PAGE, USER_FILL))
		return false;
	prepare(run, &l);
	if (!dio_expect(!syscall(SYS_io_setup, READS, &l.ctx), "io_setup"))
		return false;
	submit_all(&l);
	good = complete(&l, &whole);
	syscall(SYS_io_destroy, l.ctx);
	run->pages = (long)whole * SEGMENTS;
	return good &&
	       dio_expect(!l.error || refusal(-l.error), "refused with %s",
			  strerror(l.error)) &&
	       dio_expect(whole > READS / 8, "%d reads only", whole);
}
