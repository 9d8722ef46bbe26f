// SPDX-License-Identifier: GPL-2.0
/*
 * One case of I/O in flight over fork(): start it, fork, store, finish, and
 * look at who got what.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dio_fork.h"

#define PARENTS_BYTE	0xf1
#define CHILD_BYTE	0xf2

static const char * const child_names[] = { "stays", "exits first", "writes" };
static const char * const mem_names[] = { "4K", "THP", "hugetlb" };

struct fork_test {
	const struct fork_case *c;
	enum dio_target target;
	struct dio_buf buf;
	struct iovec iov[DIO_MAX_SEGS];
	struct dio_req req;
	size_t bytes;
	unsigned char fill;	/* what the buffer holds at the start */
	struct dio_pins pins;
	pid_t child;
	int ready;		/* the child closes its end: it is in place */
	int go;			/* the parent closes its end: finish */
};

/* In a write, the child's store moves the child to a copy of its own. */
static enum dio_result stock_result(const struct fork_test *t)
{
	const struct fork_case *c = t->c;

	if (c->direction == W || !dio_target_direct(t->target, false))
		return DIO_KEPT;
	if (c->method == DIO_URING_FIXED &&
	    dio_stock_fork_spares_registered(c->mem))
		return DIO_KEPT;
	if (c->child != STAYS && dio_stock_store_keeps_unshared(c->mem))
		return DIO_KEPT;
	return DIO_LOST;
}

static size_t shape_size(const struct fork_shape *shape)
{
	return shape->start + shape->len + shape->stride * (shape->nr - 1);
}

static void prepare_iov(struct fork_test *t, const struct fork_shape *shape)
{
	int i;

	for (i = 0; i < shape->nr; i++) {
		t->iov[i].iov_base = t->buf.data + shape->start +
				     i * shape->stride;
		t->iov[i].iov_len = shape->len;
	}
	t->bytes = shape->nr * shape->len;
}

static bool prepare(struct fork_test *t)
{
	const struct fork_case *c = t->c;
	const struct fork_shape *shape = &fork_shapes[c->shape];
	int ret;

	ret = dio_buf_alloc(&t->buf, c->mem, shape_size(shape));
	if (!dio_need(!ret, "no buffer: %s", strerror(-ret)))
		return false;
	memset(t->buf.data, t->fill, t->buf.size);
	prepare_iov(t, shape);
	t->req = (struct dio_req) {
		.write = c->direction == W,
		.pos = c->direction == W ? DIO_WRITE_POS : DIO_READ_POS,
		.iov = t->iov,
		.nr_iov = shape->nr,
		.method = c->method,
	};
	t->req.fd = dio_target_open(t->target);
	return dio_expect(t->req.fd >= 0, "open: %s", strerror(-t->req.fd));
}

static bool in_iov(const struct fork_test *t, const unsigned char *at)
{
	unsigned char *base;
	int i;

	for (i = 0; i < t->req.nr_iov; i++) {
		base = t->iov[i].iov_base;
		if (at >= base && at < base + t->iov[i].iov_len)
			return true;
	}
	return false;
}

/*
 * First and last bytes of the pages, as far as the I/O leaves them alone; what
 * it fills is given the byte that it has, which is a store as well.
 */
static void store(const struct fork_test *t, unsigned char byte)
{
	unsigned char *page = t->buf.data, *end = page + t->buf.size;

	for (; page < end; page += DIO_PAGE) {
		*page = in_iov(t, page) ? t->fill : byte;
		page[DIO_PAGE - 1] = in_iov(t, page + DIO_PAGE - 1) ? t->fill :
								       byte;
	}
}

static bool elsewhere_is(const struct fork_test *t, unsigned char byte)
{
	unsigned char *page = t->buf.data, *end = page + t->buf.size;

	for (; page < end; page += DIO_PAGE) {
		if (!in_iov(t, page) && *page != byte)
			return false;
		if (!in_iov(t, page + DIO_PAGE - 1) &&
		    page[DIO_PAGE - 1] != byte)
			return false;
	}
	return true;
}

/* The child must not see what the parent stores after the fork. */
static void run_child(const struct fork_test *t, int ready, int go)
{
	unsigned char own = t->fill;
	char byte;

	if (t->c->child == WRITES) {
		own = CHILD_BYTE;
		memset(t->buf.data, own, t->buf.size);
	}
	close(ready);
	if (t->c->child != EXITS && read(go, &byte, 1))
		_exit(1);
	_exit(!elsewhere_is(t, own));
}

static bool start_child(struct fork_test *t)
{
	int ready[2], go[2];
	char byte;

	if (pipe(ready) || pipe(go))
		return false;
	t->child = fork();
	if (!t->child) {
		close(ready[0]);
		close(go[1]);
		run_child(t, ready[1], go[0]);
	}
	close(ready[1]);
	close(go[0]);
	t->ready = ready[0];
	t->go = go[1];
	return t->child > 0 && !read(t->ready, &byte, 1);
}

static bool finish_child(struct fork_test *t)
{
	int status = -1;

	close(t->go);
	close(t->ready);
	if (t->child > 0 && waitpid(t->child, &status, 0) == t->child)
		t->child = 0;
	return !status;
}

/* Between start and finish: the I/O is in flight all the time. */
static bool fork_in_flight(struct fork_test *t)
{
	if (!start_child(t))
		return false;
	if (t->c->child == EXITS && !finish_child(t))
		return false;
	if (!t->req.write)
		store(t, PARENTS_BYTE);
	return true;
}

/* The pieces of a segment that lie in different pages fare differently. */
static enum dio_result check_segment(const struct iovec *iov, off_t pos,
				     unsigned char fill)
{
	unsigned char *at = iov->iov_base, *end = at + iov->iov_len;
	enum dio_result result = DIO_KEPT;
	size_t len;

	for (; at < end; at += len, pos += len) {
		len = DIO_PAGE - ((size_t)at & (DIO_PAGE - 1));
		if (len > end - at)
			len = end - at;
		if (dio_pattern_is(at, len, pos))
			continue;
		if (!dio_all_is(at, len, fill))
			return DIO_ERROR;
		result = DIO_LOST;
	}
	return result;
}

static enum dio_result check_read(struct fork_test *t)
{
	enum dio_result result = DIO_KEPT, one;
	off_t pos = t->req.pos;
	int i;

	if (!elsewhere_is(t, PARENTS_BYTE))
		return DIO_ERROR;
	for (i = 0; i < t->req.nr_iov; i++) {
		one = check_segment(&t->iov[i], pos, t->fill);
		if (one == DIO_ERROR)
			return DIO_ERROR;
		if (one == DIO_LOST)
			result = DIO_LOST;
		pos += t->iov[i].iov_len;
	}
	return result;
}

static enum dio_result check_write(struct fork_test *t)
{
	enum dio_result result = DIO_ERROR;
	unsigned char *back = malloc(t->bytes);
	int ret = -ENOMEM;

	if (back)
		ret = dio_target_load(t->target, back, t->bytes, t->req.pos);
	if (!dio_expect(!ret, "reading back: %s", strerror(-ret)))
		result = DIO_ERROR;
	else if (dio_all_is(back, t->bytes, t->fill))
		result = DIO_KEPT;
	else if (memchr(back, CHILD_BYTE, t->bytes))
		result = DIO_LOST;
	free(back);
	return result;
}

static bool run_io(struct fork_test *t)
{
	ssize_t ret = dio_start_held(&t->req);
	bool forked;

	if (!dio_expect(!ret, "not held: %s", strerror(-ret)))
		return false;
	forked = fork_in_flight(t);
	ret = dio_finish_held(&t->req);
	return dio_expect(ret == t->bytes, "result %zd of %zu", ret, t->bytes) &&
	       forked;
}

static enum dio_result run_test(struct fork_test *t)
{
	struct dio_pins start;
	bool good;

	dio_pins_read(&start);
	good = run_io(t);
	if (t->child && !finish_child(t))
		good = false;
	t->pins = dio_pins_since(&start);
	if (!good)
		return DIO_ERROR;
	return t->req.write ? check_write(t) : check_read(t);
}

static bool pins_right(const struct fork_test *t)
{
	long least = dio_target_direct(t->target, t->req.write) ?
		     dio_iov_pages(t->iov, t->req.nr_iov) : 0;

	return t->pins.acquired >= least &&
	       t->pins.acquired == t->pins.released &&
	       dio_fork_shares(t->buf.data, t->buf.size);
}

static void describe(const struct fork_test *t, char *text, size_t size)
{
	const struct fork_case *c = t->c;

	snprintf(text, size, "%s %s, %s, %s, %s, child %s",
		 c->direction == W ? "write" : "read",
		 dio_target_name(t->target),
		 dio_method_name(c->method, c->direction == W),
		 mem_names[c->mem], fork_shapes[c->shape].name,
		 child_names[c->child]);
}

static void do_fork_case(struct fork_test *t, int setup)
{
	enum dio_result seen = DIO_ERROR;
	char text[160];
	bool pins;

	if (dio_target_there(t->target, setup) && prepare(t))
		seen = run_test(t);
	pins = pins_right(t);
	describe(t, text, sizeof(text));
	dio_result(text, stock_result(t), seen, &t->pins, pins);
	if (t->req.fd >= 0)
		close(t->req.fd);
	dio_buf_free(&t->buf);
}

/* @setup is what setting up the target returned. */
void fork_run_set(const struct fork_set *set, int setup)
{
	size_t i;

	for (i = 0; i < set->nr; i++) {
		struct fork_test t = {
			.c = &set->cases[i],
			.target = set->target,
			.req.fd = -1,
			.fill = i + 1,
		};

		do_fork_case(&t, setup);
	}
}
