// SPDX-License-Identifier: GPL-2.0
/*
 * aoe-target INTERFACE DEVICE [NODE]: serves a block device by ATA over Ethernet,
 * as shelf 0, slot 0.
 *
 * With the NODE that the initiator has for it: writes to that, and ends when it
 * is known whether the frame of a write has what was written, even if it is
 * looked at when the write has returned and its source has changed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define AOE_TYPE	0x88a2
#define AOE_VERSION	0x10
#define AOE_RESPONSE	0x08
#define AOE_ATA		0
#define AOE_CONFIG	1
#define ANY_SHELF	0xffff
#define ANY_SLOT	0xff

#define EXTENDED	0x40
#define READ		0x20
#define READ_EXT	0x24
#define WRITE		0x30
#define WRITE_EXT	0x34
#define IDENTIFY	0xec
#define STATUS_GOOD	0x40
#define STATUS_BAD	0x41
#define ABORTED		0x04

#define SECTOR		512
#define MAX_DATA	(255 * SECTOR)
#define BUFFERS		16
#define QUEUE_BYTES	(16 << 20)

/* One frame, if the initiator's MTU is 9000, and not all of any page */
#define LATE_SIZE	8192
#define LATE_SKEW	SECTOR
#define LATE_POS	(48 << 20)
#define LATE_SECONDS	60
#define READ_SIZE	(1024 * 1024)
#define READS		4
#define ANSWER_MS	10000
#define WRITTEN		0x5a
#define ALTERED		0xa5

struct ata {
	uint8_t flags, feature, count, command, lba[6], reserved[2];
};

struct config {
	uint16_t buffers, firmware;
	uint8_t sectors, command;
	uint16_t length;
};

struct header {
	uint8_t to[6], from[6];
	uint16_t type;
	uint8_t flags, error;
	uint16_t shelf;
	uint8_t slot, command;
	uint32_t tag;
	union {
		struct ata ata;
		struct config config;
	};
};

static_assert(sizeof(struct header) == 36, "as it is in a frame");

struct frame {
	struct header head;
	unsigned char *data;
	size_t size;
};

static int net, disk;
static uint8_t mac[6];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void open_net(const char *interface)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(AOE_TYPE),
		.sll_ifindex = if_nametoindex(interface),
	};
	socklen_t length = sizeof(address);
	int bytes = QUEUE_BYTES;

	net = socket(AF_PACKET, SOCK_RAW, htons(AOE_TYPE));
	if (net < 0 || !address.sll_ifindex ||
	    setsockopt(net, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    bind(net, (struct sockaddr *)&address, length) ||
	    getsockname(net, (struct sockaddr *)&address, &length))
		die(interface);
	memcpy(mac, address.sll_addr, sizeof(mac));
}

/* The next request for us; with MSG_PEEK it stays in the queue. */
static void receive(struct frame *frame, int flags)
{
	struct iovec iov[2] = {
		{ &frame->head, sizeof(frame->head) },
		{ frame->data, MAX_DATA },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	uint16_t shelf;
	ssize_t got;

	for (;;) {
		memset(&frame->head, 0, sizeof(frame->head));
		got = recvmsg(net, &msg, flags);
		if (got < 0)
			die("recvmsg");
		frame->size = 0;
		if ((size_t)got > sizeof(frame->head))
			frame->size = got - sizeof(frame->head);
		shelf = ntohs(frame->head.shelf);
		if (!(frame->head.flags & AOE_RESPONSE) &&
		    (!shelf || shelf == ANY_SHELF) &&
		    (!frame->head.slot || frame->head.slot == ANY_SLOT))
			return;
		if (flags & MSG_PEEK)
			recv(net, NULL, 0, 0);
	}
}

/* Sends what was a request as its answer, with so much of the data. */
static void answer(struct frame *frame, size_t size)
{
	struct header head = frame->head;
	struct iovec iov[2] = {
		{ &head, sizeof(head) },
		{ frame->data, size },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	memcpy(head.to, frame->head.from, sizeof(head.to));
	memcpy(head.from, mac, sizeof(head.from));
	head.flags = AOE_VERSION | AOE_RESPONSE;
	head.shelf = 0;
	head.slot = 0;
	/* What is lost is asked for again. */
	if (sendmsg(net, &msg, 0) < 0)
		perror("sendmsg");
}

static void put_word(unsigned char *data, int word, uint16_t value)
{
	data[word * 2] = value;
	data[word * 2 + 1] = value >> 8;
}

static bool identify(unsigned char *data)
{
	uint64_t sectors, small;
	int i;

	if (ioctl(disk, BLKGETSIZE64, &sectors))
		return false;
	sectors /= SECTOR;
	small = sectors < 0x0fffffff ? sectors : 0x0fffffff;
	memset(data, 0, SECTOR);
	put_word(data, 49, 1 << 9);		/* LBA */
	put_word(data, 60, small);
	put_word(data, 61, small >> 16);
	put_word(data, 83, 1 << 14 | 1 << 10);	/* 48 bits of it */
	put_word(data, 86, 1 << 10);
	for (i = 0; i < 4; i++)
		put_word(data, 100 + i, sectors >> (16 * i));
	return true;
}

static off_t position(const struct ata *ata)
{
	uint64_t lba = 0;
	int i, bytes = ata->flags & EXTENDED ? 6 : 4;

	for (i = 0; i < bytes; i++)
		lba |= (uint64_t)ata->lba[i] << (8 * i);
	if (!(ata->flags & EXTENDED))
		lba &= 0x0fffffff;
	return lba * SECTOR;
}

static bool is_write(const struct frame *frame)
{
	return frame->head.command == AOE_ATA &&
	       (frame->head.ata.command == WRITE ||
		frame->head.ata.command == WRITE_EXT);
}

static void serve_ata(struct frame *frame)
{
	struct ata *ata = &frame->head.ata;
	size_t size = ata->count * SECTOR, back = 0;
	bool good = false;

	if (is_write(frame)) {
		good = frame->size >= size &&
		       pwrite(disk, frame->data, size,
			      position(ata)) == (ssize_t)size;
	} else if (ata->command == READ || ata->command == READ_EXT) {
		back = size;
		good = pread(disk, frame->data, size,
			     position(ata)) == (ssize_t)size;
	} else if (ata->command == IDENTIFY) {
		back = SECTOR;
		good = identify(frame->data);
	}
	ata->feature = good ? 0 : ABORTED;
	ata->command = good ? STATUS_GOOD : STATUS_BAD;
	answer(frame, good ? back : 0);
}

static void serve(struct frame *frame)
{
	struct config *config = &frame->head.config;

	if (frame->head.command == AOE_ATA) {
		serve_ata(frame);
	} else if (frame->head.command == AOE_CONFIG &&
		   !(config->command & 0x0f)) {
		config->buffers = htons(BUFFERS);
		config->firmware = htons(1);
		config->sectors = MAX_DATA / SECTOR;
		config->command = AOE_VERSION;
		config->length = 0;
		answer(frame, 0);
	}
}

static bool is_late(const struct frame *frame)
{
	return is_write(frame) && position(&frame->head.ata) == LATE_POS;
}

/* Leaves a transmission of the write in the queue, and serves all before it. */
static void await_late(struct frame *frame)
{
	for (;;) {
		receive(frame, MSG_PEEK);
		if (is_late(frame))
			return;
		receive(frame, 0);
		serve(frame);
	}
}

static void write_and_alter(const char *node, int ready)
{
	unsigned char *data = aligned_alloc(4096, READ_SIZE);
	int i, fd = open(node, O_RDWR | O_DIRECT);

	if (!data || fd < 0)
		die(node);
	/* The more answers it has timed, the sooner the driver sends again. */
	for (i = 0; i < READS; i++)
		if (pread(fd, data, READ_SIZE, 0) != READ_SIZE)
			die(node);
	data += LATE_SKEW;
	memset(data, WRITTEN, LATE_SIZE);
	if (pwrite(fd, data, LATE_SIZE, LATE_POS) != LATE_SIZE)
		die(node);
	memset(data, ALTERED, LATE_SIZE);
	if (write(ready, "", 1) != 1)
		die("pipe");
	pause();
}

static bool as_written(const struct frame *frame)
{
	size_t i;

	for (i = 0; i < frame->size; i++)
		if (frame->data[i] != WRITTEN)
			break;
	if (frame->size == LATE_SIZE && i == LATE_SIZE)
		return true;
	fprintf(stderr, "byte %zu of %zu in the frame is %#x, not %#x\n", i,
		frame->size, i < frame->size ? frame->data[i] : 0, WRITTEN);
	return false;
}

/*
 * Receives a transmission of the write and does not answer until there is
 * another, which is what is answered then, and left in the queue. If that one is
 * not the last either, it goes on from there.
 */
static bool check_late(struct frame *frame, const char *node)
{
	struct pollfd ready = { .events = POLLIN };
	int fds[2];
	pid_t pid;
	bool good;
	char byte;

	alarm(LATE_SECONDS);
	if (pipe(fds))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(fds[0]);
		write_and_alter(node, fds[1]);
	}
	close(fds[1]);
	ready.fd = fds[0];
	await_late(frame);
	do {
		receive(frame, 0);
		good = as_written(frame);
		await_late(frame);
		serve(frame);
	} while (good && !poll(&ready, 1, ANSWER_MS));
	good = good && read(fds[0], &byte, 1) == 1;
	if (good) {
		await_late(frame);
		receive(frame, 0);
		good = as_written(frame);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return good;
}

int main(int argc, char **argv)
{
	struct frame frame = { .data = aligned_alloc(4096, MAX_DATA + SECTOR) };

	if (argc < 3 || argc > 4 || !frame.data) {
		fprintf(stderr, "usage: aoe-target INTERFACE DEVICE [NODE]\n");
		return 2;
	}
	disk = open(argv[2], O_RDWR | O_DIRECT);
	if (disk < 0)
		die(argv[2]);
	open_net(argv[1]);
	if (argc == 4)
		return !check_late(&frame, argv[3]);
	for (;;) {
		receive(&frame, 0);
		serve(&frame);
	}
}
