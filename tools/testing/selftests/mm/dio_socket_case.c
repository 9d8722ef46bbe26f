// SPDX-License-Identifier: GPL-2.0
/* What the cases of dio_socket have in common. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dio_socket.h"

void sock_set_iov(struct sock_test *t, unsigned char *data)
{
	const struct sock_shape *shape = t->c->shape;
	int i;

	t->io.fd = t->chan.fd;
	t->io.way = t->c->way;
	t->io.nr_iov = shape->nr;
	for (i = 0; i < shape->nr; i++) {
		t->io.iov[i].iov_base = data + shape->start + i * shape->stride;
		t->io.iov[i].iov_len = shape->len;
	}
	t->len = shape->nr * shape->len;
}

/* Gives the input that as many bytes are received for as the case wants. */
bool sock_feed(struct sock_test *t)
{
	return dio_expect(t->c->kind->feed(&t->chan, t->len), "feed: %s",
			  strerror(errno));
}

/* What is to be received, which also has been done once now */
bool sock_learn(struct sock_test *t)
{
	struct sock_io io = { .fd = t->chan.fd, .nr_iov = 1 };
	ssize_t ret;

	t->wanted = malloc(t->len);
	if (!t->wanted || !sock_feed(t))
		return false;
	io.iov[0].iov_base = t->wanted;
	io.iov[0].iov_len = t->len;
	ret = sock_io_now(&io);
	return dio_expect(ret == t->len, "result %zd of %zu", ret, t->len);
}

bool sock_buffer(struct sock_test *t)
{
	const struct sock_shape *shape = t->c->shape;
	int ret;

	ret = dio_buf_alloc(&t->buf, t->c->mem, shape->start + shape->len +
			    shape->stride * (shape->nr - 1));
	if (!dio_need(!ret, "no buffer: %s", strerror(-ret)))
		return false;
	memset(t->buf.data, SOCK_FILL, t->buf.size);
	sock_set_iov(t, t->buf.data);
	t->pages = dio_iov_pages(t->io.iov, t->io.nr_iov);
	return true;
}

bool sock_start_held(struct sock_test *t)
{
	int ret = sock_io_start_held(&t->io);

	return dio_expect(!ret, "not held: %s", strerror(-ret));
}

/* @result is what a send or receive must return. */
bool sock_finish_held(struct sock_test *t, ssize_t result)
{
	bool pending = sock_io_pending(&t->io);
	ssize_t ret = sock_io_finish_held(&t->io);

	return dio_expect(pending, "did not wait") &&
	       dio_expect(ret == result, "result %zd, not %zd", ret, result);
}

bool sock_received(const struct sock_test *t)
{
	const unsigned char *wanted = t->wanted;
	int i;

	for (i = 0; i < t->io.nr_iov; i++) {
		if (memcmp(t->io.iov[i].iov_base, wanted, t->io.iov[i].iov_len))
			return false;
		wanted += t->io.iov[i].iov_len;
	}
	return true;
}
