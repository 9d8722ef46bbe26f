// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets that have a cipher write into the pages of the process: AF_ALG, and
 * TLS. While the cipher waits, the process forks and stores into the same
 * pages, or the file whose pages they are is written back. What was received
 * must be there all the same.
 *
 * Each case declares what a kernel shows that neither pins the pages nor marks
 * them dirty: "lost", where the data is gone, or "kept".
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dio_socket.h"

static const struct sock_shape part = { "3584 bytes", 0, 3584, 0, 1 };
static const struct sock_shape pages = { "64K at offset 512", 512, 65536, 0, 1 };
static const struct sock_shape record = { "16K at offset 512", 512, 16384, 0, 1 };
static const struct sock_shape shared = { "3 segments in a page", 0, 512, 1024, 3 };

static const char * const way_names[] = { "recvmsg", "libaio", "sendmsg" };
static const char * const mem_names[] = { "4K", "THP", "hugetlb" };

static const struct sock_case cases[] = {
	{ "fork", sock_fork, DIO_LOST, &sock_skcipher, SOCK_RECV, DIO_MEM_4K, &part },
	{ "fork", sock_fork, DIO_LOST, &sock_skcipher, SOCK_RECV, DIO_MEM_4K, &pages },
	{ "fork", sock_fork, DIO_LOST, &sock_skcipher, SOCK_RECV, DIO_MEM_4K, &shared },
	{ "fork", sock_fork, DIO_LOST, &sock_skcipher, SOCK_RECV, DIO_MEM_THP, &pages },
	{ "fork", sock_fork, DIO_LOST, &sock_aead, SOCK_RECV, DIO_MEM_4K, &part },
	{ "fork", sock_fork, DIO_LOST, &sock_aead, SOCK_RECV, DIO_MEM_4K, &pages },
	{ "fork", sock_fork, DIO_LOST, &sock_aead, SOCK_AIO, DIO_MEM_4K, &part },
	{ "fork", sock_fork, DIO_LOST, &sock_aead, SOCK_AIO, DIO_MEM_4K, &shared },
	{ "fork", sock_fork, DIO_LOST, &sock_aead, SOCK_AIO, DIO_MEM_THP, &pages },
	{ "fork", sock_fork, DIO_LOST, &sock_aead, SOCK_AIO, DIO_MEM_HUGETLB, &pages },
	{ "fork", sock_fork, DIO_LOST, &sock_tls12, SOCK_RECV, DIO_MEM_4K, &part },
	{ "fork", sock_fork, DIO_LOST, &sock_tls12, SOCK_RECV, DIO_MEM_4K, &shared },
	{ "fork", sock_fork, DIO_LOST, &sock_tls12, SOCK_RECV, DIO_MEM_4K, &pages },
	{ "fork", sock_fork, DIO_LOST, &sock_tls12, SOCK_RECV, DIO_MEM_THP, &pages },
	{ "fork", sock_fork, DIO_LOST, &sock_tls12, SOCK_RECV, DIO_MEM_HUGETLB, &pages },
	{ "fork", sock_fork, DIO_LOST, &sock_tls13, SOCK_RECV, DIO_MEM_4K, &part },
	{ "fork", sock_fork, DIO_LOST, &sock_tls13, SOCK_RECV, DIO_MEM_4K, &record },
	{ "fork", sock_fork, DIO_LOST, &sock_tls13, SOCK_RECV, DIO_MEM_THP, &record },
	{ "fork", sock_fork_hash, DIO_KEPT, &sock_hash, SOCK_SEND, DIO_MEM_4K, &part },
	{ "fork", sock_fork_hash, DIO_KEPT, &sock_hash, SOCK_SEND, DIO_MEM_THP, &pages },
	{ "into a file that is synced", sock_clean, DIO_LOST, &sock_skcipher, SOCK_RECV, 0, &part },
	{ "into a file that is synced", sock_clean, DIO_LOST, &sock_aead, SOCK_RECV, 0, &pages },
	{ "into a file that is synced", sock_clean, DIO_LOST, &sock_aead, SOCK_AIO, 0, &part },
	{ "into a file that is synced", sock_clean, DIO_LOST, &sock_tls12, SOCK_RECV, 0, &pages },
	{ "into a file that is synced", sock_clean, DIO_LOST, &sock_tls13, SOCK_RECV, 0, &record },
	{ "partly read-only", sock_read_only, DIO_KEPT, &sock_skcipher, SOCK_RECV, 0, &pages },
	{ "partly read-only", sock_read_only, DIO_KEPT, &sock_aead, SOCK_RECV, 0, &pages },
	{ "partly read-only", sock_read_only, DIO_KEPT, &sock_tls12, SOCK_RECV, 0, &record },
	{ "partly read-only", sock_read_only, DIO_KEPT, &sock_tls13, SOCK_RECV, 0, &record },
	{ "wrong tag", sock_forged_aead, DIO_KEPT, &sock_aead, SOCK_RECV, 0, &part },
	{ "wrong tag", sock_forged_tls, DIO_KEPT, &sock_tls12, SOCK_RECV, 0, &part },
	{ "kill in flight", sock_kill, DIO_KEPT, &sock_skcipher, SOCK_RECV, 0, &pages },
	{ "kill in flight", sock_kill, DIO_KEPT, &sock_aead, SOCK_AIO, 0, &pages },
	{ "kill in flight", sock_kill, DIO_KEPT, &sock_tls12, SOCK_RECV, 0, &pages },
	{ "splice", sock_splice, DIO_KEPT, &sock_aead, SOCK_RECV, 0, &part },
	{ "registered buffer", sock_registered, DIO_KEPT, &sock_aead, SOCK_RECV, 0, &part },
	{ "registered buffer", sock_registered, DIO_KEPT, &sock_tls12, SOCK_RECV, 0, &part },
	{ "from untouched memory", sock_zero_hash, DIO_KEPT, &sock_hash, SOCK_SEND, 0, &pages },
};

static bool pins_right(const struct sock_test *t, const struct dio_pins *pins)
{
	return pins->acquired >= t->pages &&
	       (!t->unpinned || !pins->acquired) &&
	       pins->acquired == pins->released &&
	       (!t->buf.data || dio_fork_shares(t->buf.data, t->buf.size));
}

static void run_case(const struct sock_case *c, int setup)
{
	struct sock_test t = {
		.c = c,
		.chan = { .fd = -1, .peer = -1 },
		.setup = setup,
	};
	enum dio_result seen = DIO_ERROR;
	struct dio_pins start, pins;
	char text[160];

	snprintf(text, sizeof(text), "%s, %s, %s, %s, %s", c->kind->name,
		 way_names[c->way], mem_names[c->mem], c->shape->name, c->name);
	dio_pins_read(&start);
	if (c->kind->open(&t.chan) && c->run(&t))
		seen = DIO_KEPT;
	else if (t.lost)
		seen = DIO_LOST;
	pins = dio_pins_since(&start);
	dio_result(text, c->stock, seen, &pins, pins_right(&t, &pins));
	close(t.chan.fd);
	close(t.chan.peer);
	dio_buf_free(&t.buf);
	free(t.wanted);
}

int main(void)
{
	int setup, ret;
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	dio_begin(ARRAY_SIZE(cases));
	ret = sock_hold_prepare();
	dio_expect(!ret, "real time: %s", strerror(-ret));
	/* For the files whose pages are received into */
	setup = dio_target_setup(DIO_EXT2);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i], setup);
	dio_target_teardown(DIO_EXT2);
	sock_hold_restore();
	dio_end();
}
