// SPDX-License-Identifier: GPL-2.0
/*
 * While the cipher waits, the process forks and stores into the pages that the
 * cipher works on.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dio_socket.h"

#define PARENTS_BYTE	0xf1

/* The child has the CPU of its parent, and so does not run before that sleeps. */
static bool start_child(struct sock_test *t)
{
	int go[2];
	char byte;

	if (pipe(go))
		return false;
	t->child = fork();
	if (!t->child) {
		close(go[1]);
		_exit(read(go[0], &byte, 1));
	}
	close(go[0]);
	t->go = go[1];
	return t->child > 0;
}

static bool end_child(struct sock_test *t)
{
	int status = -1;

	if (t->child <= 0)
		return false;
	close(t->go);
	return waitpid(t->child, &status, 0) == t->child && !status;
}

static bool in_iov(const struct sock_test *t, const unsigned char *at)
{
	const unsigned char *base;
	int i;

	for (i = 0; i < t->io.nr_iov; i++) {
		base = t->io.iov[i].iov_base;
		if (at >= base && at < base + t->io.iov[i].iov_len)
			return true;
	}
	return false;
}

/* What is received may be there already in part: it gets the byte that it has. */
static void store_byte(const struct sock_test *t, unsigned char *at)
{
	unsigned char byte = PARENTS_BYTE;

	if (in_iov(t, at))
		byte = __atomic_load_n(at, __ATOMIC_RELAXED);
	__atomic_store_n(at, byte, __ATOMIC_RELAXED);
}

/* To every page */
static void store(const struct sock_test *t)
{
	unsigned char *page = t->buf.data, *end = page + t->buf.size;

	for (; page < end; page += DIO_PAGE) {
		store_byte(t, page);
		store_byte(t, page + DIO_PAGE - 1);
	}
}

static bool stored(const struct sock_test *t)
{
	const unsigned char *page = t->buf.data, *end = page + t->buf.size;

	for (; page < end; page += DIO_PAGE)
		if ((!in_iov(t, page) && *page != PARENTS_BYTE) ||
		    (!in_iov(t, page + DIO_PAGE - 1) &&
		     page[DIO_PAGE - 1] != PARENTS_BYTE))
			return false;
	return true;
}

static bool fork_in_flight(struct sock_test *t, ssize_t result)
{
	bool good;

	if (!sock_start_held(t))
		return false;
	good = dio_expect(start_child(t), "fork: %s", strerror(errno));
	store(t);
	good = sock_finish_held(t, result) && good;
	return dio_expect(end_child(t), "the child fails") && good &&
	       dio_expect(stored(t), "a store is gone");
}

bool sock_fork(struct sock_test *t)
{
	if (!sock_buffer(t) || !sock_learn(t) || !sock_feed(t) ||
	    !fork_in_flight(t, t->len))
		return false;
	t->lost = !sock_received(t);
	return !t->lost;
}

/* The pages of a source are pinned as well; nobody writes into them. */
bool sock_fork_hash(struct sock_test *t)
{
	unsigned char digest[2][32];
	struct sock_chan plain = { .fd = -1 };
	bool good;

	if (!sock_buffer(t) || !t->c->kind->open(&plain))
		return false;
	good = send(plain.fd, t->buf.data + t->c->shape->start, t->len, 0) ==
	       (ssize_t)t->len &&
	       recv(plain.fd, digest[0], 32, 0) == 32;
	close(plain.fd);
	if (!dio_expect(good, "hash: %s", strerror(errno)) ||
	    !fork_in_flight(t, t->len) ||
	    !dio_expect(recv(t->chan.fd, digest[1], 32, 0) == 32, "hash: %s",
			strerror(errno)))
		return false;
	return dio_expect(!memcmp(digest[0], digest[1], 32), "wrong hash");
}
