// SPDX-License-Identifier: GPL-2.0
/*
 * A ring of io_uring for one I/O at a time, with the memory of that registered
 * or not.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dio_common.h"

#define SQES	2	/* the I/O comes last */

struct dio_uring {
	int fd;
	bool fixed;
	unsigned char *rings;
	size_t rings_size;
	struct io_uring_sqe *sqes;
	size_t sqes_size;
	struct io_uring_params params;
};

void dio_uring_close(struct dio_uring *ring)
{
	if (ring->fixed)
		syscall(SYS_io_uring_register, ring->fd,
			IORING_UNREGISTER_BUFFERS, NULL, 0);
	if (ring->rings && ring->rings != MAP_FAILED)
		munmap(ring->rings, ring->rings_size);
	if (ring->sqes && ring->sqes != MAP_FAILED)
		munmap(ring->sqes, ring->sqes_size);
	if (ring->fd >= 0)
		close(ring->fd);
	free(ring);
}

static int map_rings(struct dio_uring *ring)
{
	struct io_uring_params *p = &ring->params;

	ring->rings_size = p->cq_off.cqes +
			   p->cq_entries * sizeof(struct io_uring_cqe);
	if (ring->rings_size < p->sq_off.array + p->sq_entries * sizeof(int))
		ring->rings_size = p->sq_off.array + p->sq_entries * sizeof(int);
	ring->sqes_size = p->sq_entries * sizeof(*ring->sqes);
	ring->rings = mmap(NULL, ring->rings_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, ring->sqes_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, ring->fd, IORING_OFF_SQES);
	if (ring->rings == MAP_FAILED || ring->sqes == MAP_FAILED)
		return -errno;
	return 0;
}

static int set_up(struct dio_uring *ring, const struct iovec *fixed)
{
	int ret;

	ring->fd = syscall(SYS_io_uring_setup, SQES, &ring->params);
	if (ring->fd < 0)
		return -errno;
	ret = map_rings(ring);
	if (ret || !fixed)
		return ret;
	if (syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS,
		    fixed, 1))
		return -errno;
	ring->fixed = true;
	return 0;
}

/* @fixed is memory to register, or NULL. */
int dio_uring_open(struct dio_uring **ring, const struct iovec *fixed)
{
	int ret;

	*ring = calloc(1, sizeof(**ring));
	if (!*ring)
		return -ENOMEM;
	ret = set_up(*ring, fixed);
	if (ret)
		dio_uring_close(*ring);
	return ret;
}

static unsigned int *ring_word(struct dio_uring *ring, unsigned int offset)
{
	return (unsigned int *)(ring->rings + offset);
}

/*
 * The I/O is linked behind one that does nothing. Without that, Linux 5.4
 * submits it as one that must not wait, and fails it for good where the device
 * can not tell, as device-mapper can not.
 */
static void fill(const struct dio_req *req, struct io_uring_sqe *sqe)
{
	memset(sqe, 0, SQES * sizeof(*sqe));
	sqe->opcode = IORING_OP_NOP;
	sqe->flags = IOSQE_IO_LINK;
	sqe++;
	sqe->fd = req->fd;
	sqe->off = req->pos;
	if (req->uring->fixed) {
		sqe->opcode = req->write ? IORING_OP_WRITE_FIXED :
					   IORING_OP_READ_FIXED;
		sqe->addr = (uintptr_t)req->iov->iov_base;
		sqe->len = req->iov->iov_len;
	} else {
		sqe->opcode = req->write ? IORING_OP_WRITEV : IORING_OP_READV;
		sqe->addr = (uintptr_t)req->iov;
		sqe->len = req->nr_iov;
	}
}

int dio_uring_submit(struct dio_req *req)
{
	struct dio_uring *ring = req->uring;
	unsigned int *tail = ring_word(ring, ring->params.sq_off.tail);
	unsigned int *array = ring_word(ring, ring->params.sq_off.array);
	int i;

	fill(req, ring->sqes);
	for (i = 0; i < SQES; i++)
		array[i] = i;
	__atomic_store_n(tail, *tail + SQES, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring->fd, SQES, 0, 0, NULL, 0) ==
	       SQES ? 0 : -errno;
}

ssize_t dio_uring_wait(struct dio_uring *ring)
{
	unsigned int mask = *ring_word(ring, ring->params.cq_off.ring_mask);
	unsigned int *head = ring_word(ring, ring->params.cq_off.head);
	struct io_uring_cqe *cqes;
	ssize_t ret;

	while (syscall(SYS_io_uring_enter, ring->fd, 0, SQES,
		       IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno == EINTR)
		;
	cqes = (void *)(ring->rings + ring->params.cq_off.cqes);
	ret = cqes[(*head + SQES - 1) & mask].res;
	__atomic_store_n(head, *head + SQES, __ATOMIC_RELEASE);
	return ret;
}
