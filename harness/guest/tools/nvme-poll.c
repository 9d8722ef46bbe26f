// SPDX-License-Identifier: GPL-2.0
/*
 * nvme-poll DEVICE: writes the first page of an NVMe name space, of 512-byte
 * blocks with 8 bytes of metadata each, and reads it again, by commands that are
 * passed through io_uring and polled for. DEVICE is the character device. Then it
 * reads once more while another process polls the same queue, which is the one
 * to find that read done: the metadata must come here all the same. One read in
 * between is behind the end of the device.
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/nvme_ioctl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITE		0x01
#define READ		0x02
#define SIZE		4096
#define BLOCKS		(SIZE / 512)
#define META		(BLOCKS * 8)
#define DEVICE_USECS	200000

/* For one command; entries and completions are twice as large here. */
struct ring {
	int fd;
	unsigned char *base;
	struct io_uring_sqe *sqe;
	struct io_uring_params params;
};

static bool ring_open(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;

	p->flags = IORING_SETUP_IOPOLL | IORING_SETUP_SQE128 |
		   IORING_SETUP_CQE32;
	ring->fd = syscall(SYS_io_uring_setup, 1, p);
	if (ring->fd < 0)
		return false;
	/* One mapping has both queues; what is behind them stays unused. */
	ring->base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			  ring->fd, IORING_OFF_SQ_RING);
	ring->sqe = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 ring->fd, IORING_OFF_SQES);
	return ring->base != MAP_FAILED && ring->sqe != MAP_FAILED;
}

static bool ring_submit(struct ring *ring, int fd,
			const struct nvme_uring_cmd *cmd)
{
	struct io_uring_params *p = &ring->params;
	unsigned int *tail = (void *)(ring->base + p->sq_off.tail);
	unsigned int *array = (void *)(ring->base + p->sq_off.array);

	memset(ring->sqe, 0, 2 * sizeof(*ring->sqe));
	ring->sqe->opcode = IORING_OP_URING_CMD;
	ring->sqe->fd = fd;
	ring->sqe->cmd_op = NVME_URING_CMD_IO;
	memcpy(ring->sqe->cmd, cmd, sizeof(*cmd));
	*array = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1;
}

/*
 * What the command returned: nothing, an error, or a status of the device's. The
 * kernel stops polling before that if another task is to run.
 */
static int ring_wait(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;
	unsigned int *head = (void *)(ring->base + p->cq_off.head);
	unsigned int *tail = (void *)(ring->base + p->cq_off.tail);
	unsigned int mask = *(unsigned int *)(ring->base + p->cq_off.ring_mask);
	struct io_uring_cqe *cqe;

	while (*head == __atomic_load_n(tail, __ATOMIC_ACQUIRE)) {
		if (syscall(SYS_io_uring_enter, ring->fd, 0, 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			return -1;
	}
	/* Each takes the room of two. */
	cqe = (struct io_uring_cqe *)(ring->base + p->cq_off.cqes) +
	      2 * (*head & mask);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return cqe->res;
}

static bool submit(struct ring *ring, int fd, int opcode, uint32_t block,
		   void *data, void *meta)
{
	const struct nvme_uring_cmd cmd = {
		.opcode = opcode,
		.nsid = 1,
		.addr = (uintptr_t)data,
		.data_len = SIZE,
		.metadata = (uintptr_t)meta,
		.metadata_len = META,
		.cdw10 = block,
		.cdw12 = BLOCKS - 1,
	};

	return ring_submit(ring, fd, &cmd);
}

static bool transfer(int fd, int opcode, void *data, void *meta)
{
	struct ring ring = { 0 };

	return ring_open(&ring) && submit(&ring, fd, opcode, 0, data, meta) &&
	       !ring_wait(&ring);
}

/* Behind the end: the device refuses that. */
static bool read_refused(int fd, void *data, void *meta)
{
	struct ring ring = { 0 };

	return ring_open(&ring) && submit(&ring, fd, READ, -1U, data, meta) &&
	       ring_wait(&ring) > 0;
}

/* Another process, with the same addresses and a ring of its own */
static pid_t poller_start(int fd, int wait_fd)
{
	unsigned char *data = aligned_alloc(SIZE, SIZE);
	unsigned char meta[META];
	pid_t pid = fork();
	char go;

	if (pid)
		return pid;
	_exit(!data || read(wait_fd, &go, 1) != 1 ||
	      !transfer(fd, READ, data, meta));
}

static bool read_beside_poller(int fd, void *data, void *meta)
{
	struct ring ring = { 0 };
	int status, ret, go[2];
	pid_t pid;

	if (pipe(go))
		return false;
	pid = poller_start(fd, go[0]);
	if (pid < 0 || !ring_open(&ring) ||
	    !submit(&ring, fd, READ, 0, data, meta))
		return false;
	usleep(DEVICE_USECS);
	ret = write(go[1], "", 1);
	return waitpid(pid, &status, 0) == pid && ret == 1 && !status &&
	       !ring_wait(&ring);
}

int main(int argc, char **argv)
{
	unsigned char *data = aligned_alloc(SIZE, SIZE);
	unsigned char *got = aligned_alloc(SIZE, SIZE);
	unsigned char meta[META], got_meta[META], late_meta[META];
	int fd;

	if (argc != 2 || !data || !got) {
		fprintf(stderr, "usage: nvme-poll DEVICE\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	memset(data, 0xa5, SIZE);
	memset(meta, 0x5a, META);
	memset(got, 0, SIZE);
	memset(got_meta, 0, META);
	memset(late_meta, 0, META);
	if (fd < 0 || !transfer(fd, WRITE, data, meta) ||
	    !transfer(fd, READ, got, got_meta) ||
	    !read_refused(fd, got, got_meta) ||
	    !read_beside_poller(fd, got, late_meta)) {
		fprintf(stderr, "%s: a command failed\n", argv[1]);
		return 1;
	}
	if (memcmp(data, got, SIZE) || memcmp(meta, got_meta, META)) {
		fprintf(stderr, "%s: other data or metadata came back\n",
			argv[1]);
		return 1;
	}
	if (memcmp(meta, late_meta, META)) {
		fprintf(stderr, "%s: the metadata went to who polled\n",
			argv[1]);
		return 1;
	}
	return 0;
}
