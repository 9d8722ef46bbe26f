// SPDX-License-Identifier: GPL-2.0
/*
 * Ways to submit one direct I/O. Each has a start, after which the I/O is on
 * its way, and a finish, which waits for it and returns its result.
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <scsi/sg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dio_common.h"

#define SG_TIMEOUT_MS	600000

struct dio_sync {
	pthread_t thread;
	struct dio_req req;	/* of the thread's own */
	ssize_t ret;
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

static ssize_t thread_io(struct dio_req *req);

static void *sync_thread(void *arg)
{
	struct dio_sync *sync = arg;

	sync->ret = thread_io(&sync->req);
	return NULL;
}

static int sync_start(struct dio_req *req)
{
	int ret;

	req->sync = calloc(1, sizeof(*req->sync));
	if (!req->sync)
		return -ENOMEM;
	req->sync->req = *req;
	ret = pthread_create(&req->sync->thread, NULL, sync_thread, req->sync);
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

static int uring_start(struct dio_req *req)
{
	bool fixed = req->method == DIO_URING_FIXED;
	int ret;

	ret = dio_uring_open(&req->uring, fixed ? req->iov : NULL);
	if (ret)
		return ret;
	ret = dio_uring_submit(req);
	if (ret)
		dio_uring_close(req->uring);
	return ret;
}

static ssize_t uring_finish(struct dio_req *req)
{
	ssize_t ret = dio_uring_wait(req->uring);

	dio_uring_close(req->uring);
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

/* From start to finish, in a thread */
static ssize_t thread_io(struct dio_req *req)
{
	ssize_t ret;

	if (methods[req->method].start == sync_start)
		return dio_sync_io(req);
	ret = methods[req->method].start(req);
	return ret ? ret : methods[req->method].finish(req);
}

int dio_start(struct dio_req *req)
{
	return dio_given.waits ? sync_start(req) :
				 methods[req->method].start(req);
}

ssize_t dio_finish(struct dio_req *req)
{
	return dio_given.waits ? sync_finish(req) :
				 methods[req->method].finish(req);
}

/*
 * A small I/O of the same kind elsewhere in the file: what a file system has to
 * write or to wait for ahead of the first one must not wait for a held device.
 */
void dio_warm_up(const struct dio_req *req)
{
	void *data = aligned_alloc(DIO_PAGE, DIO_PAGE);
	ssize_t ret;

	ret = data ? pread(req->fd, data, DIO_PAGE, DIO_WARM_POS) : 0;
	if (ret == DIO_PAGE && req->write)
		ret = pwrite(req->fd, data, DIO_PAGE, DIO_WARM_POS);
	free(data);
}

/* Starts an I/O that stays in flight until dio_finish_held(). */
int dio_start_held(struct dio_req *req)
{
	int ret;

	dio_warm_up(req);
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
