/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sockets whose receive has a cipher write into the pages of the process, and
 * a way to hold that cipher.
 */
#ifndef DIO_SOCKET_H
#define DIO_SOCKET_H

#include <pthread.h>

#include "dio_common.h"

#define SOCK_MAX_SEGS	3
#define SOCK_MAX_LEN	65536UL

struct sock_chan {
	int fd;			/* to receive from */
	int peer;		/* to feed, if that is another one */
	size_t overhead;	/* of a record, if there are any */
};

struct sock_kind {
	const char *name;
	bool (*open)(struct sock_chan *chan);
	/* As much input as @len bytes are received for, always the same */
	bool (*feed)(struct sock_chan *chan, size_t len);
};

/* dio_socket_alg.c: AF_ALG */
extern const struct sock_kind sock_skcipher;
extern const struct sock_kind sock_aead;
extern const struct sock_kind sock_hash;	/* nothing is received */

bool sock_aead_feed_forged(struct sock_chan *chan, size_t len);

/* dio_socket_tls.c: TLS over loopback */
extern const struct sock_kind sock_tls12;
extern const struct sock_kind sock_tls13;

bool sock_tls_open_plain(struct sock_chan *chan);
bool sock_tls_feed_forged(struct sock_chan *chan, size_t len);

/* dio_socket_hold.c */
enum sock_way { SOCK_RECV, SOCK_AIO, SOCK_SEND };

struct sock_io {
	int fd;
	enum sock_way way;
	struct iovec iov[SOCK_MAX_SEGS];
	int nr_iov;
	struct dio_req aio;
	pthread_t thread;
	pid_t tid;
	bool done;
	ssize_t ret;
};

int sock_hold_prepare(void);
void sock_hold_restore(void);
ssize_t sock_io_now(struct sock_io *io);
int sock_io_start_held(struct sock_io *io);
bool sock_io_pending(struct sock_io *io);
ssize_t sock_io_finish_held(struct sock_io *io);

/* dio_socket_case.c */
#define SOCK_FILL	0x5a

struct sock_test;

struct sock_shape {
	const char *name;
	size_t start;		/* of the first segment */
	size_t len;		/* of a segment */
	size_t stride;		/* from one segment to the next */
	int nr;
};

struct sock_case {
	const char *name;
	bool (*run)(struct sock_test *t);
	enum dio_result stock;
	const struct sock_kind *kind;
	enum sock_way way;
	enum dio_mem mem;
	const struct sock_shape *shape;
};

struct sock_test {
	const struct sock_case *c;
	struct sock_chan chan;
	struct sock_io io;
	struct dio_buf buf;	/* looked at for pins and freed afterwards */
	unsigned char *wanted;
	size_t len;
	int setup;		/* of the file system: 0 or a negative errno */
	pid_t child;
	int go;			/* the parent closes its end: the child leaves */
	long pages;		/* that have been pinned, at least */
	bool unpinned;		/* or none at all */
	bool lost;		/* why the case failed */
};

void sock_set_iov(struct sock_test *t, unsigned char *data);
bool sock_feed(struct sock_test *t);
bool sock_learn(struct sock_test *t);
bool sock_buffer(struct sock_test *t);
bool sock_start_held(struct sock_test *t);
bool sock_finish_held(struct sock_test *t, ssize_t result);
bool sock_received(const struct sock_test *t);

/* dio_socket_fork.c */
bool sock_fork(struct sock_test *t);
bool sock_fork_hash(struct sock_test *t);

/* dio_socket_dest.c */
bool sock_zero_hash(struct sock_test *t);
bool sock_clean(struct sock_test *t);
bool sock_read_only(struct sock_test *t);
bool sock_forged_aead(struct sock_test *t);
bool sock_forged_tls(struct sock_test *t);
bool sock_kill(struct sock_test *t);
bool sock_splice(struct sock_test *t);
bool sock_registered(struct sock_test *t);

#endif /* DIO_SOCKET_H */
