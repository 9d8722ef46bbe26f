// SPDX-License-Identifier: GPL-2.0
/*
 * Ways to submit one direct I/O. Each has a start, after which the I/O is on
 * its way, and a finish, which waits for it and returns its result.
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <scsi/sg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dio_common.h"

#define SG_TIMEOUT_MS	600000
#define URING_SQES	2	/* the I/O comes last */

struct dio_sync {
	pthread_t thread;
	ssize_t ret;
};

struct dio_uring {
	int fd;
	bool fixed;
	unsigned char *rings;
	size_t rings_size;
	struct io_uring_sqe *sqes;
	size_t sqes_size;
	struct io_uring_params params;
};

/* Pages that one I/O takes: each segment takes its own, shared or not. */
size_t dio_iov_pages(const struct iovec *iov, int nr)
{
	size_t pages = 0;
	uintptr_t first, last;

	for (; nr--; iov++) {
		if (!iov->iov_len)
			continue;
		first = (uintptr_t)iov->iov_base / DIO_PAGE;
		last = ((uintptr_t)iov->iov_base + iov->iov_len - 1) / DIO_PAGE;
		pages += last - first + 1;
	}
	return pages;
}

static ssize_t do_read_write(struct dio_req *req)
{
	if (lseek(req->fd, req->pos, SEEK_SET) < 0)
		return -1;
	if (req->nr_iov > 1)
		return req->write ? writev(req->fd, req->iov, req->nr_iov) :
				    readv(req->fd, req->iov, req->nr_iov);
	return req->write ?
		write(req->fd, req->iov->iov_base, req->iov->iov_len) :
		read(req->fd, req->iov->iov_base, req->iov->iov_len);
}

static ssize_t do_vector(struct dio_req *req)
{
	return req->write ?
		pwritev(req->fd, req->iov, req->nr_iov, req->pos) :
		preadv(req->fd, req->iov, req->nr_iov, req->pos);
}

static size_t iov_bytes(const struct dio_req *req)
{
	size_t bytes = 0;
	int i;

	for (i = 0; i < req->nr_iov; i++)
		bytes += req->iov[i].iov_len;
	return bytes;
}

/* READ(10) or WRITE(10), passed through to the SCSI target */
static ssize_t do_sgio(struct dio_req *req)
{
	unsigned int lba = req->pos / DIO_SECTOR;
	unsigned int nr = iov_bytes(req) / DIO_SECTOR;
	unsigned char cdb[10] = {
		req->write ? 0x2a : 0x28, 0, lba >> 24, lba >> 16, lba >> 8,
		lba, 0, nr >> 8, nr, 0
	};
	struct sg_io_hdr hdr = {
		.interface_id = 'S',
		.dxfer_direction = req->write ? SG_DXFER_TO_DEV :
						SG_DXFER_FROM_DEV,
		.cmd_len = sizeof(cdb),
		.cmdp = cdb,
		.dxfer_len = iov_bytes(req),
		.dxferp = req->iov->iov_base,
		.timeout = SG_TIMEOUT_MS,
	};

	if (req->nr_iov > 1) {
		hdr.iovec_count = req->nr_iov;
		hdr.dxferp = req->iov;
	}
	if (ioctl(req->fd, SG_IO, &hdr))
		return -1;
	if (hdr.status || hdr.host_status || hdr.driver_status) {
		errno = EIO;
		return -1;
	}
	return hdr.dxfer_len - hdr.resid;
}

/* In the calling thread, for an I/O that nobody holds */
ssize_t dio_sync_io(struct dio_req *req)
{
	ssize_t ret;

	if (req->method == DIO_SGIO)
		ret = do_sgio(req);
	else if (req->method == DIO_PREADV)
		ret = do_vector(req);
	else
		ret = do_read_write(req);
	return ret < 0 ? -errno : ret;
}

static void *sync_thread(void *arg)
{
	struct dio_req *req = arg;

	req->sync->ret = dio_sync_io(req);
	return NULL;
}

static int sync_start(struct dio_req *req)
{
	int ret;

	req->sync = calloc(1, sizeof(*req->sync));
	if (!req->sync)
		return -ENOMEM;
	ret = pthread_create(&req->sync->thread, NULL, sync_thread, req);
	if (ret)
		free(req->sync);
	return -ret;
}

static ssize_t sync_finish(struct dio_req *req)
{
	ssize_t ret;

	pthread_join(req->sync->thread, NULL);
	ret = req->sync->ret;
	free(req->sync);
	return ret;
}

static int aio_start(struct dio_req *req)
{
	bool vector = req->nr_iov > 1;
	struct iocb cb = {
		.aio_fildes = req->fd,
		.aio_offset = req->pos,
		.aio_buf = (uintptr_t)req->iov->iov_base,
		.aio_nbytes = req->iov->iov_len,
		.aio_lio_opcode = req->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
	};
	struct iocb *cbs = &cb;

	if (vector) {
		cb.aio_buf = (uintptr_t)req->iov;
		cb.aio_nbytes = req->nr_iov;
		cb.aio_lio_opcode = req->write ? IOCB_CMD_PWRITEV :
						 IOCB_CMD_PREADV;
	}
	req->aio = 0;
	if (syscall(SYS_io_setup, 1, &req->aio))
		return -errno;
	if (syscall(SYS_io_submit, req->aio, 1, &cbs) == 1)
		return 0;
	syscall(SYS_io_destroy, req->aio);
	return -errno;
}

static ssize_t aio_finish(struct dio_req *req)
{
	struct io_event event = { .res = -EIO };

	while (syscall(SYS_io_getevents, req->aio, 1, 1, &event, NULL) < 0 &&
	       errno == EINTR)
		;
	syscall(SYS_io_destroy, req->aio);
	return event.res;
}

static void uring_free(struct dio_uring *ring)
{
	if (ring->rings && ring->rings != MAP_FAILED)
		munmap(ring->rings, ring->rings_size);
	if (ring->sqes && ring->sqes != MAP_FAILED)
		munmap(ring->sqes, ring->sqes_size);
	if (ring->fd >= 0)
		close(ring->fd);
	free(ring);
}

static int uring_map(struct dio_uring *ring)
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

static int uring_submit(struct dio_uring *ring)
{
	unsigned int *tail = (void *)(ring->rings + ring->params.sq_off.tail);
	unsigned int *array = (void *)(ring->rings + ring->params.sq_off.array);
	int i;

	for (i = 0; i < URING_SQES; i++)
		array[i] = i;
	__atomic_store_n(tail, *tail + URING_SQES, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring->fd, URING_SQES, 0, 0, NULL,
		       0) == URING_SQES ? 0 : -errno;
}

/*
 * The I/O is linked behind one that does nothing. Without that, Linux 5.4
 * submits it as one that must not wait, and fails it for good where the device
 * can not tell, as device-mapper can not.
 */
static void uring_fill(struct dio_req *req, struct io_uring_sqe *sqe)
{
	memset(sqe, 0, URING_SQES * sizeof(*sqe));
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

static int uring_prepare(struct dio_req *req)
{
	struct dio_uring *ring = req->uring;
	int ret;

	ring->fixed = req->method == DIO_URING_FIXED;
	ring->fd = syscall(SYS_io_uring_setup, URING_SQES, &ring->params);
	if (ring->fd < 0)
		return -errno;
	ret = uring_map(ring);
	if (ret)
		return ret;
	if (ring->fixed && syscall(SYS_io_uring_register, ring->fd,
				   IORING_REGISTER_BUFFERS, req->iov, 1))
		return -errno;
	uring_fill(req, ring->sqes);
	return uring_submit(ring);
}

static int uring_start(struct dio_req *req)
{
	int ret;

	req->uring = calloc(1, sizeof(*req->uring));
	if (!req->uring)
		return -ENOMEM;
	ret = uring_prepare(req);
	if (ret)
		uring_free(req->uring);
	return ret;
}

static ssize_t uring_finish(struct dio_req *req)
{
	struct dio_uring *ring = req->uring;
	struct io_uring_cqe *cqes;
	ssize_t ret;

	while (syscall(SYS_io_uring_enter, ring->fd, 0, URING_SQES,
		       IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno == EINTR)
		;
	cqes = (void *)(ring->rings + ring->params.cq_off.cqes);
	ret = cqes[URING_SQES - 1].res;
	if (ring->fixed)
		syscall(SYS_io_uring_register, ring->fd,
			IORING_UNREGISTER_BUFFERS, NULL, 0);
	uring_free(ring);
	return ret;
}

static const struct {
	const char *name[2];	/* of reads, of writes */
	int (*start)(struct dio_req *req);
	ssize_t (*finish)(struct dio_req *req);
} methods[] = {
	[DIO_READ]		= { { "read", "write" }, sync_start, sync_finish },
	[DIO_PREADV]		= { { "preadv", "pwritev" }, sync_start, sync_finish },
	[DIO_AIO]		= { { "libaio", "libaio" }, aio_start, aio_finish },
	[DIO_URING]		= { { "io_uring", "io_uring" },
				    uring_start, uring_finish },
	[DIO_URING_FIXED]	= { { "io_uring fixed", "io_uring fixed" },
				    uring_start, uring_finish },
	[DIO_SGIO]		= { { "SG_IO", "SG_IO" }, sync_start, sync_finish },
};

const char *dio_method_name(enum dio_method method, bool write)
{
	return methods[method].name[write];
}

int dio_start(struct dio_req *req)
{
	return methods[req->method].start(req);
}

ssize_t dio_finish(struct dio_req *req)
{
	return methods[req->method].finish(req);
}

/* Starts an I/O that stays in flight until dio_finish_held(). */
int dio_start_held(struct dio_req *req)
{
	int ret;

	ret = dio_dev_hold();
	if (!ret)
		ret = dio_start(req);
	if (ret) {
		dio_dev_release();
		return ret;
	}
	ret = dio_dev_wait_held(req->write);
	if (ret)
		dio_finish_held(req);
	return ret;
}

ssize_t dio_finish_held(struct dio_req *req)
{
	dio_dev_release();
	return dio_finish(req);
}
