// SPDX-License-Identifier: GPL-2.0
/*
 * rpcbind-yes: what the kernel's nfsd and lockd register with, here without a
 * register. Each call to port 111 of this machine is answered with "yes". It
 * listens when the command returns, and goes on in the background; its process
 * is printed.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CLIENTS	8
#define MAX_CALL	4096
#define LAST_FRAGMENT	0x80000000U
/* Words of a call and of a reply, behind the length */
#define XID		0
#define PROCEDURE	5
#define REPLY_WORDS	7

static int read_all(int fd, void *data, size_t size)
{
	size_t done;
	ssize_t ret;

	for (done = 0; done < size; done += ret) {
		ret = read(fd, (char *)data + done, size - done);
		if (ret <= 0)
			return -1;
	}
	return 0;
}

/* Accepted, without a credential, successful; and true, but for a ping */
static int answer(int fd)
{
	uint32_t call[MAX_CALL / 4], length;
	uint32_t reply[1 + REPLY_WORDS] = { 0 };
	unsigned int words;

	if (read_all(fd, &length, sizeof(length)))
		return -1;
	length = ntohl(length) & ~LAST_FRAGMENT;
	if (length > sizeof(call) || length <= PROCEDURE * 4 ||
	    read_all(fd, call, length))
		return -1;
	words = call[PROCEDURE] ? REPLY_WORDS : REPLY_WORDS - 1;
	reply[0] = htonl(LAST_FRAGMENT | words * 4);
	reply[1] = call[XID];
	reply[2] = htonl(1);
	reply[7] = htonl(1);
	length = (1 + words) * 4;
	return write(fd, reply, length) == length ? 0 : -1;
}

static void serve(int listener)
{
	struct pollfd fds[1 + MAX_CLIENTS] = { { listener, POLLIN, 0 } };
	int i, nr = 1;

	while (poll(fds, nr, -1) > 0) {
		for (i = nr - 1; i > 0; i--) {
			if (!fds[i].revents || !answer(fds[i].fd))
				continue;
			close(fds[i].fd);
			fds[i] = fds[--nr];
		}
		if (fds[0].revents && nr <= MAX_CLIENTS)
			fds[nr++] = (struct pollfd) {
				accept(listener, NULL, NULL), POLLIN, 0
			};
	}
}

int main(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(111),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int yes = 1;
	pid_t pid;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, MAX_CLIENTS)) {
		perror("rpcbind-yes");
		return 1;
	}
	pid = fork();
	if (!pid) {
		fclose(stdout);
		serve(listener);
		return 1;
	}
	printf("%d\n", pid);
	return pid < 0;
}
