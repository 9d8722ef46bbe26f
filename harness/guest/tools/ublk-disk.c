// SPDX-License-Identifier: GPL-2.0
/*
 * ublk-disk [-f|-l] DEVICE: serves a block device as /dev/ublkb0, past the page
 * cache, until it gets SIGTERM. Says so on stdout when it is ready. One ring has
 * the requests, the I/O for them, and what is said to the driver.
 *
 *	-f	the second page of each buffer has to be read from the device
 *		when the driver wants it. With the device held, the driver has
 *		the first page and waits: then, at SIGUSR1, the server forks,
 *		stores to the first page, and says so
 *	-l	it says that it has read more than was asked for
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/ublk_cmd.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTROL		"/dev/ublk-control"
#define CHANNEL		"/dev/ublkc0"
#define DEPTH		128
#define SLOTS		(2 * DEPTH)
#define SLOT_SIZE	128
#define SECTOR		512
#define PAGE		4096
#define BUFFER		(32 * PAGE)
/* Of how many buffers it says that it has read one */
#define TOO_LONG	2
#define FILL		0x11
/* Where on the device nothing was looked at, and the page cache has nothing */
#define UNREAD		(64 << 20)

enum kind { FROM_DRIVER, FROM_DISK, FROM_CONTROL };

static struct {
	int fd;
	unsigned int pending;
	unsigned char *rings, *slots;
	struct io_uring_params params;
} ring;

static int disk, control, channel;
static bool forks, lies;
static const struct ublksrv_io_desc *requests;
static unsigned char *buffers;
static int live;			/* commands that the driver has, or will */
static int said;			/* what the driver answered last */
static volatile sig_atomic_t stopping;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void check(bool good, const char *what)
{
	if (!good)
		die(what);
}

static unsigned char *buffer_of(unsigned int tag)
{
	return buffers + (size_t)tag * BUFFER;
}

static void open_ring(void)
{
	struct io_uring_params *p = &ring.params;
	size_t size;

	p->flags = IORING_SETUP_SQE128;
	ring.fd = syscall(SYS_io_uring_setup, SLOTS, p);
	check(ring.fd >= 0, "io_uring_setup");
	size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	if (size < p->sq_off.array + p->sq_entries * sizeof(int))
		size = p->sq_off.array + p->sq_entries * sizeof(int);
	ring.rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  ring.fd, IORING_OFF_SQ_RING);
	ring.slots = mmap(NULL, p->sq_entries * SLOT_SIZE,
			  PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
			  IORING_OFF_SQES);
	check(ring.rings != MAP_FAILED && ring.slots != MAP_FAILED, "the ring");
}

static unsigned int *ring_word(unsigned int offset)
{
	return (unsigned int *)(ring.rings + offset);
}

/* There are more of them than can be on the way at a time. */
static struct io_uring_sqe *new_sqe(uint8_t opcode, int fd, enum kind kind,
				    unsigned int tag)
{
	const struct io_sqring_offsets *offset = &ring.params.sq_off;
	unsigned int *tail = ring_word(offset->tail);
	unsigned int slot = *tail & *ring_word(offset->ring_mask);
	struct io_uring_sqe *sqe = (void *)(ring.slots + slot * SLOT_SIZE);

	memset(sqe, 0, SLOT_SIZE);
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->user_data = (uint64_t)kind << 32 | tag;
	ring_word(offset->array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	ring.pending++;
	return sqe;
}

static void tell_driver(unsigned int operation, const void *data, size_t len)
{
	struct io_uring_sqe *sqe = new_sqe(IORING_OP_URING_CMD, control,
					   FROM_CONTROL, 0);
	struct ublksrv_ctrl_cmd *command = (void *)sqe->cmd;

	sqe->cmd_op = operation;
	command->queue_id = -1;
	command->addr = (uintptr_t)data;
	command->len = len;
	if (operation == UBLK_CMD_START_DEV)
		command->data[0] = getpid();
}

static void fetch(unsigned int operation, unsigned int tag, int result)
{
	struct io_uring_sqe *sqe = new_sqe(IORING_OP_URING_CMD, channel,
					   FROM_DRIVER, tag);
	struct ublksrv_io_cmd *command = (void *)sqe->cmd;

	sqe->cmd_op = operation;
	command->tag = tag;
	command->result = result;
	command->addr = (uintptr_t)buffer_of(tag);
}

static void to_disk(unsigned int tag, uint8_t opcode)
{
	const struct ublksrv_io_desc *request = &requests[tag];
	struct io_uring_sqe *sqe = new_sqe(opcode, disk, FROM_DISK, tag);

	sqe->addr = (uintptr_t)buffer_of(tag);
	sqe->len = request->nr_sectors * SECTOR;
	sqe->off = request->start_sector * SECTOR;
}

static void begin(unsigned int tag)
{
	switch (ublksrv_get_op(&requests[tag])) {
	case UBLK_IO_OP_READ:
		to_disk(tag, IORING_OP_READ);
		break;
	case UBLK_IO_OP_WRITE:
		to_disk(tag, IORING_OP_WRITE);
		break;
	default:
		fetch(UBLK_IO_COMMIT_AND_FETCH_REQ, tag, -EOPNOTSUPP);
	}
}

static void end(unsigned int tag, int result)
{
	bool read = ublksrv_get_op(&requests[tag]) == UBLK_IO_OP_READ;

	if (lies && read && result > 0)
		result = TOO_LONG * BUFFER;
	fetch(UBLK_IO_COMMIT_AND_FETCH_REQ, tag, result);
}

static void handle(const struct io_uring_cqe *cqe)
{
	unsigned int tag = (uint32_t)cqe->user_data;

	switch (cqe->user_data >> 32) {
	case FROM_DRIVER:
		if (cqe->res == UBLK_IO_RES_OK)
			begin(tag);
		else
			live--;
		break;
	case FROM_DISK:
		end(tag, cqe->res);
		break;
	default:
		said = cqe->res;
	}
}

/* Hands in what is new, and handles what is done: at least one, or a signal. */
static void turn(void)
{
	const struct io_cqring_offsets *offset = &ring.params.cq_off;
	const struct io_uring_cqe *cqes = (void *)(ring.rings + offset->cqes);
	unsigned int mask = *ring_word(offset->ring_mask);
	unsigned int *head = ring_word(offset->head);
	uint64_t blocked = 1ULL << (SIGUSR1 - 1);
	int taken;

	taken = syscall(SYS_io_uring_enter, ring.fd, ring.pending, 1,
			IORING_ENTER_GETEVENTS, &blocked, sizeof(blocked));
	check(taken >= 0 || errno == EINTR, "io_uring_enter");
	if (taken > 0)
		ring.pending -= taken;
	while (*head != __atomic_load_n(ring_word(offset->tail),
					__ATOMIC_ACQUIRE)) {
		struct io_uring_cqe cqe = cqes[*head & mask];

		__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
		handle(&cqe);
	}
}

/* Requests are served while the driver makes up its mind. */
static void order(unsigned int operation, const void *data, size_t len)
{
	said = 1;
	tell_driver(operation, data, len);
	while (said > 0)
		turn();
	errno = -said;
	check(!said, "the driver");
}

/* Of all buffers, as nobody knows which one it is. */
static void store_to_first_pages(void)
{
	unsigned int tag;

	for (tag = 0; tag < DEPTH; tag++)
		*(volatile unsigned char *)buffer_of(tag) = FILL;
}

static void *fork_on_signal(void *mask)
{
	int number;
	pid_t pid;

	while (!sigwait(mask, &number)) {
		pid = fork();
		if (!pid)
			for (;;)
				pause();
		store_to_first_pages();
		kill(pid, SIGKILL);
		check(waitpid(pid, NULL, 0) == pid, "fork");
		puts("forked");
	}
	return NULL;
}

/* The thread alone takes the signal. */
static void prepare_to_fork(const char *path)
{
	int cached = open(path, O_RDONLY | O_CLOEXEC);
	static sigset_t mask;
	unsigned int tag;
	pthread_t thread;
	void *page;

	store_to_first_pages();
	for (tag = 0; tag < DEPTH; tag++) {
		page = mmap(buffer_of(tag) + PAGE, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_FIXED, cached, UNREAD + tag * PAGE);
		check(page != MAP_FAILED && !madvise(page, PAGE, MADV_RANDOM),
		      path);
	}
	close(cached);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	check(!sigprocmask(SIG_BLOCK, &mask, NULL) &&
	      !pthread_create(&thread, NULL, fork_on_signal, &mask), "a thread");
}

static void make_buffers(void)
{
	size_t size = (DEPTH + TOO_LONG) * BUFFER;

	buffers = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(buffers != MAP_FAILED &&
	      !madvise(buffers, size, MADV_NOHUGEPAGE), "buffers");
}

static void start(void)
{
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1,
		.queue_depth = DEPTH,
		.max_io_buf_bytes = BUFFER,
	};
	struct ublk_params params = {
		.len = sizeof(params),
		.types = UBLK_PARAM_TYPE_BASIC,
		.basic = {
			.logical_bs_shift = 9,
			.physical_bs_shift = 12,
			.io_opt_shift = 12,
			.io_min_shift = 9,
			.max_sectors = BUFFER / SECTOR,
		},
	};
	uint64_t bytes;
	unsigned int tag;

	check(!ioctl(disk, BLKGETSIZE64, &bytes), "the size");
	params.basic.dev_sectors = bytes / SECTOR;
	order(UBLK_CMD_ADD_DEV, &info, sizeof(info));
	order(UBLK_CMD_SET_PARAMS, &params, sizeof(params));
	while ((channel = open(CHANNEL, O_RDWR | O_CLOEXEC)) < 0)
		usleep(10000);
	requests = mmap(NULL, DEPTH * sizeof(*requests), PROT_READ,
			MAP_SHARED | MAP_POPULATE, channel,
			UBLKSRV_CMD_BUF_OFFSET);
	check(requests != MAP_FAILED, CHANNEL);
	for (tag = 0; tag < DEPTH; tag++)
		fetch(UBLK_IO_FETCH_REQ, tag, 0);
	live = DEPTH;
	order(UBLK_CMD_START_DEV, NULL, 0);
}

/* When it is done, the driver has given back all that it was to fetch. */
static void stop(void)
{
	order(UBLK_CMD_STOP_DEV, NULL, 0);
	while (live)
		turn();
	munmap((void *)requests, DEPTH * sizeof(*requests));
	close(channel);
	order(UBLK_CMD_DEL_DEV, NULL, 0);
}

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

/* It only comes while the ring is waited for. */
static void expect_signal(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	check(!sigprocmask(SIG_BLOCK, &mask, NULL) &&
	      !sigaction(SIGTERM, &action, NULL), "SIGTERM");
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "fl")) != -1) {
		forks |= option == 'f';
		lies |= option == 'l';
	}
	if (argc - optind != 1) {
		fprintf(stderr, "usage: ublk-disk [-f|-l] DEVICE\n");
		return 2;
	}
	disk = open(argv[optind], O_RDWR | O_DIRECT | O_CLOEXEC);
	control = open(CONTROL, O_RDWR | O_CLOEXEC);
	check(disk >= 0 && control >= 0, argv[optind]);
	expect_signal();
	make_buffers();
	if (forks)
		prepare_to_fork(argv[optind]);
	open_ring();
	start();
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (!stopping)
		turn();
	stop();
	return 0;
}
