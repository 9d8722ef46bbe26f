// SPDX-License-Identifier: GPL-2.0
/*
 * TLS over loopback, done by the kernel at both ends, with a cipher of cryptd.
 */
#include <errno.h>
#include <linux/tls.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dio_socket.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif
#ifndef TCP_ULP
#define TCP_ULP		31
#endif
#ifndef TLS_RX_EXPECT_NO_PAD
#define TLS_RX_EXPECT_NO_PAD	4
#endif

#define HEADER_SIZE	5
#define NONCE_SIZE	8	/* of TLS 1.2 */
#define TYPE_SIZE	1	/* of TLS 1.3 */
#define TAG_SIZE	16
#define RECORD_SIZE	16384
#define TEXT_POS	12345	/* of the pattern: not what files begin with */
#define ARRIVE_TIMEOUT	10

/* What is not up after the start of a small guest */
static bool loopback_up(void)
{
	struct ifreq req = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool good;

	good = fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &req);
	req.ifr_flags |= IFF_UP;
	good = good && !ioctl(fd, SIOCSIFFLAGS, &req);
	close(fd);
	return good;
}

static bool tcp_connect(struct sock_chan *chan)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(addr);
	int size = 4 * SOCK_MAX_LEN;

	chan->peer = socket(AF_INET, SOCK_STREAM, 0);
	/* Everything has room there before any of it is read. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (!bind(fd, (struct sockaddr *)&addr, len) && !listen(fd, 1) &&
	    !getsockname(fd, (struct sockaddr *)&addr, &len) &&
	    !connect(chan->peer, (struct sockaddr *)&addr, len))
		chan->fd = accept(fd, NULL, NULL);
	close(fd);
	return chan->fd >= 0 && !setsockopt(chan->peer, IPPROTO_TCP,
					    TCP_NODELAY, &(int){ 1 },
					    sizeof(int));
}

static bool set_key(int fd, int direction, int version)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = version,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
		.key = "not a secret at",
	};

	return !setsockopt(fd, SOL_TLS, direction, &info, sizeof(info));
}

/* A cipher of the processor or of a device may go before it. */
static bool cryptd_goes_first(void)
{
	char line[256], name[128] = "", driver[128] = "";
	FILE *list = fopen("/proc/crypto", "r");
	int priority, best = -1;
	bool first = false;

	while (list && fgets(line, sizeof(line), list)) {
		if (sscanf(line, "name : %127s", name) == 1 ||
		    sscanf(line, "driver : %127s", driver) == 1 ||
		    sscanf(line, "priority : %d", &priority) != 1 ||
		    strcmp(name, "gcm(aes)") || priority <= best)
			continue;
		best = priority;
		first = !strncmp(driver, "cryptd(", 7);
	}
	if (list)
		fclose(list);
	return first;
}

/* Once it is there, it goes before the cipher that it stands on. */
static bool load_cryptd(void)
{
	struct sock_chan chan = { .fd = -1 };

	if (!sock_aead.open(&chan))
		return false;
	close(chan.fd);
	return dio_need(cryptd_goes_first(), "gcm(aes) is not cryptd's");
}

static bool connect_tls(struct sock_chan *chan)
{
	if (!load_cryptd() ||
	    !dio_need(loopback_up() && tcp_connect(chan), "no loopback: %s",
		      strerror(errno)))
		return false;
	return dio_need(!setsockopt(chan->fd, IPPROTO_TCP, TCP_ULP, "tls", 4),
			"no TLS: %s", strerror(errno));
}

static bool tls_open(struct sock_chan *chan, int version)
{
	bool good;

	if (!connect_tls(chan))
		return false;
	chan->overhead = HEADER_SIZE + TAG_SIZE +
			 (version == TLS_1_3_VERSION ? TYPE_SIZE : NONCE_SIZE);
	good = set_key(chan->fd, TLS_RX, version) &&
	       !setsockopt(chan->peer, IPPROTO_TCP, TCP_ULP, "tls", 4) &&
	       set_key(chan->peer, TLS_TX, version);
	/* Records of TLS 1.3 go to user memory only if that is asked for. */
	if (version == TLS_1_3_VERSION)
		good = good && !setsockopt(chan->fd, SOL_TLS,
					   TLS_RX_EXPECT_NO_PAD, &(int){ 1 },
					   sizeof(int));
	return dio_expect(good, "TLS: %s", strerror(errno));
}

static bool tls12_open(struct sock_chan *chan)
{
	return tls_open(chan, TLS_1_2_VERSION);
}

static bool tls13_open(struct sock_chan *chan)
{
	return tls_open(chan, TLS_1_3_VERSION);
}

/* Nobody encrypts at the other end. */
bool sock_tls_open_plain(struct sock_chan *chan)
{
	return connect_tls(chan) &&
	       dio_expect(set_key(chan->fd, TLS_RX, TLS_1_2_VERSION),
			  "TLS: %s", strerror(errno));
}

/* All of it is to be there, so that nobody is waited for but the cipher. */
static bool arrived(struct sock_chan *chan, int len)
{
	double deadline = dio_now() + ARRIVE_TIMEOUT;
	int there = 0;

	while (!ioctl(chan->fd, FIONREAD, &there) && there < len) {
		if (dio_now() > deadline)
			return dio_expect(false, "%d of %d bytes", there, len);
		dio_sleep_ms(1);
	}
	return there >= len;
}

static bool tls_feed(struct sock_chan *chan, size_t len)
{
	size_t records = (len + RECORD_SIZE - 1) / RECORD_SIZE;
	unsigned char text[SOCK_MAX_LEN];

	dio_pattern_fill(text, len, TEXT_POS);
	return dio_expect(send(chan->peer, text, len, 0) == (ssize_t)len,
			  "send: %s", strerror(errno)) &&
	       arrived(chan, len + records * chan->overhead);
}

/* What is received for this is -EBADMSG. */
bool sock_tls_feed_forged(struct sock_chan *chan, size_t len)
{
	size_t size = NONCE_SIZE + len + TAG_SIZE;
	unsigned char record[HEADER_SIZE + NONCE_SIZE + RECORD_SIZE + TAG_SIZE] = {
		23, 3, 3, size >> 8, size
	};

	size += HEADER_SIZE;
	return dio_expect(send(chan->peer, record, size, 0) == (ssize_t)size,
			  "send: %s", strerror(errno)) && arrived(chan, size);
}

const struct sock_kind sock_tls12 = {
	.name = "TLS 1.2",
	.open = tls12_open,
	.feed = tls_feed,
};

const struct sock_kind sock_tls13 = {
	.name = "TLS 1.3",
	.open = tls13_open,
	.feed = tls_feed,
};
