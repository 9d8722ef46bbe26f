// SPDX-License-Identifier: GPL-2.0
/*
 * splice() from an AF_ALG socket: the cipher writes straight into the pages
 * that are to enter the pipe, as a device does.
 */
#include <fcntl.h>
#include <linux/if_alg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dio_splice.h"

#define KEY_SIZE	16
#define TEXT_SIZE	4096	/* of which splice() gets everything at once */

/* Returns a socket to operate on, or -1 where there is no such cipher. */
static int cipher_open(void)
{
	struct sockaddr_alg addr = {
		.salg_family = AF_ALG,
		.salg_type = "skcipher",
		.salg_name = "cbc(aes)",
	};
	unsigned char key[KEY_SIZE] = "not a secret at";
	int op = -1, fd = socket(AF_ALG, SOCK_SEQPACKET, 0);

	if (!bind(fd, (struct sockaddr *)&addr, sizeof(addr)) &&
	    !setsockopt(fd, SOL_ALG, ALG_SET_KEY, key, sizeof(key)))
		op = accept(fd, NULL, 0);
	close(fd);
	return op;
}

/* Encrypts zeros, with zeros for the initial vector. */
static bool cipher_send(int op)
{
	char text[TEXT_SIZE] = { 0 }, control[CMSG_SPACE(sizeof(int)) +
				 CMSG_SPACE(sizeof(int) + KEY_SIZE)] = { 0 };
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int value = ALG_OP_ENCRYPT;

	cmsg->cmsg_level = SOL_ALG;
	cmsg->cmsg_type = ALG_SET_OP;
	cmsg->cmsg_len = CMSG_LEN(sizeof(value));
	memcpy(CMSG_DATA(cmsg), &value, sizeof(value));
	cmsg = CMSG_NXTHDR(&msg, cmsg);
	value = KEY_SIZE;
	cmsg->cmsg_level = SOL_ALG;
	cmsg->cmsg_type = ALG_SET_IV;
	cmsg->cmsg_len = CMSG_LEN(sizeof(value) + KEY_SIZE);
	memcpy(CMSG_DATA(cmsg), &value, sizeof(value));
	return sendmsg(op, &msg, 0) == TEXT_SIZE;
}

bool alg_splice(struct dio_run *run)
{
	unsigned char wanted[TEXT_SIZE], got[TEXT_SIZE];
	int op = cipher_open();
	struct splice_pipe p;
	ssize_t ret;
	bool good;

	if (!dio_need(op >= 0, "no cbc(aes)") ||
	    !splice_pipe_open(&p, PIPE_SIZE))
		return false;
	good = dio_expect(cipher_send(op) &&
			  read(op, wanted, TEXT_SIZE) == TEXT_SIZE, "read") &&
	       dio_expect(cipher_send(op), "send");
	if (good) {
		ret = splice(op, NULL, p.in, NULL, TEXT_SIZE, 0);
		good = dio_expect(ret == TEXT_SIZE, "result %zd", ret) &&
		       dio_expect(read(p.out, got, TEXT_SIZE) == TEXT_SIZE &&
				  !memcmp(wanted, got, TEXT_SIZE),
				  "wrong data in the pipe");
	}
	splice_pipe_close(&p);
	close(op);
	return good;
}
