// SPDX-License-Identifier: GPL-2.0
/*
 * AF_ALG: ciphers and hashes of cryptd, which work in the background. They are
 * named by their drivers, so that a second run finds those of the first.
 */
#include <errno.h>
#include <linux/if_alg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dio_socket.h"

#define KEY_SIZE	16
#define IV_SIZE		16	/* at most */
#define GCM_IV_SIZE	12
#define AAD_SIZE	16
#define TAG_SIZE	16

static const unsigned char key[KEY_SIZE] = "not a secret at";

/* Returns a socket to operate on, or -1 where there is no such algorithm. */
static int alg_open(const char *type, const char *name, bool has_key)
{
	struct sockaddr_alg addr = { .salg_family = AF_ALG };
	int op = -1, fd = socket(AF_ALG, SOCK_SEQPACKET, 0);

	strcpy((char *)addr.salg_type, type);
	strcpy((char *)addr.salg_name, name);
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&addr, sizeof(addr)) &&
	    (!has_key ||
	     !setsockopt(fd, SOL_ALG, ALG_SET_KEY, key, sizeof(key))))
		op = accept(fd, NULL, 0);
	if (fd >= 0)
		close(fd);
	return op;
}

static struct cmsghdr *add(struct msghdr *msg, struct cmsghdr *cmsg, int type,
			   unsigned int value, size_t extra)
{
	cmsg = cmsg ? CMSG_NXTHDR(msg, cmsg) : CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_ALG;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(sizeof(value) + extra);
	memcpy(CMSG_DATA(cmsg), &value, sizeof(value));
	return cmsg;
}

/* The initial vector is zeros. */
static bool feed(int op, unsigned int what, size_t iv_size, size_t aad_size,
		 const void *text, size_t len)
{
	char control[2 * CMSG_SPACE(sizeof(int)) +
		     CMSG_SPACE(sizeof(int) + IV_SIZE)] = { 0 };
	struct iovec iov = { .iov_base = (void *)text, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = 2 * CMSG_SPACE(sizeof(int)) +
				  CMSG_SPACE(sizeof(int) + iv_size),
	};
	struct cmsghdr *cmsg;

	cmsg = add(&msg, NULL, ALG_SET_OP, what, 0);
	cmsg = add(&msg, cmsg, ALG_SET_AEAD_ASSOCLEN, aad_size, 0);
	add(&msg, cmsg, ALG_SET_IV, iv_size, iv_size);
	return sendmsg(op, &msg, 0) == (ssize_t)len;
}

static bool skcipher_open(struct sock_chan *chan)
{
	chan->fd = alg_open("skcipher", "cryptd(cbc(aes-generic))", true);
	return dio_need(chan->fd >= 0, "no cryptd(cbc(aes-generic))");
}

static bool skcipher_feed(struct sock_chan *chan, size_t len)
{
	static const char text[SOCK_MAX_LEN];

	return feed(chan->fd, ALG_OP_ENCRYPT, IV_SIZE, 0, text, len);
}

static bool aead_open(struct sock_chan *chan)
{
	chan->fd = alg_open("aead",
			    "cryptd(gcm_base(ctr(aes-generic),ghash-generic))",
			    true);
	return dio_need(chan->fd >= 0, "no cryptd(gcm_base())");
}

/* Out come the additional data, as much as came in, and the tag. */
static bool aead_feed(struct sock_chan *chan, size_t len)
{
	static const char text[SOCK_MAX_LEN];

	return feed(chan->fd, ALG_OP_ENCRYPT, GCM_IV_SIZE, AAD_SIZE, text,
		    len - TAG_SIZE);
}

/* What is received for this is -EBADMSG. */
bool sock_aead_feed_forged(struct sock_chan *chan, size_t len)
{
	static const char text[SOCK_MAX_LEN + TAG_SIZE];

	return feed(chan->fd, ALG_OP_DECRYPT, GCM_IV_SIZE, AAD_SIZE, text,
		    len + TAG_SIZE);
}

/* Begun already, with nothing: what is sent goes into the hash at once. */
static bool hash_open(struct sock_chan *chan)
{
	chan->fd = alg_open("hash", "cryptd(sha256-generic)", false);
	return dio_need(chan->fd >= 0, "no cryptd(sha256-generic)") &&
	       dio_expect(!send(chan->fd, "", 0, MSG_MORE), "hash: %s",
			  strerror(errno));
}

const struct sock_kind sock_skcipher = {
	.name = "skcipher",
	.open = skcipher_open,
	.feed = skcipher_feed,
};

const struct sock_kind sock_aead = {
	.name = "AEAD",
	.open = aead_open,
	.feed = aead_feed,
};

const struct sock_kind sock_hash = {
	.name = "hash",
	.open = hash_open,
};
