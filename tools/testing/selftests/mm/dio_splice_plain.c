// SPDX-License-Identifier: GPL-2.0
/* One splice() or sendfile() at a time, and pipes to look into. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "dio_splice.h"

#define BLOCK		4096UL
#define SEND_SIZE	0x100000UL
#define BIG_PIPE	0x100000UL
#define MAX_BYTES	0x100000000000L	/* s_maxbytes of ext4 */
#define LAST_BLOCK	0x7ffffffffffff000L

bool splice_pipe_open(struct splice_pipe *p, size_t size)
{
	int fds[2];

	if (!dio_expect(!pipe(fds), "pipe: %s", strerror(errno)))
		return false;
	p->out = fds[0];
	p->in = fds[1];
	if (dio_expect(fcntl(p->in, F_SETPIPE_SZ, size) == size,
		       "pipe of %zu bytes: %s", size, strerror(errno)))
		return true;
	splice_pipe_close(p);
	return false;
}

void splice_pipe_close(struct splice_pipe *p)
{
	close(p->out);
	close(p->in);
}

ssize_t splice_from(int fd, off_t pos, const struct splice_pipe *p, size_t len,
		    unsigned int flags)
{
	loff_t off = pos;
	ssize_t ret = splice(fd, &off, p->in, NULL, len, flags);

	if (ret < 0)
		return -errno;
	return dio_expect(off == pos + ret, "offset off by %ld",
			  (long)(off - pos - ret)) ? ret : -EIO;
}

/* Takes them out of the pipe. */
bool splice_holds(const struct splice_pipe *p, size_t len, off_t pos)
{
	unsigned char *data = malloc(len);
	size_t done = 0;
	ssize_t ret = 1;
	bool right;

	for (; data && done < len && ret > 0; done += ret)
		ret = read(p->out, data + done, len - done);
	right = data && ret > 0 && dio_pattern_is(data, len, pos);
	free(data);
	return dio_expect(right, "wrong data in the pipe");
}

static bool splice_size(struct dio_run *run, size_t size)
{
	struct splice_pipe p;
	ssize_t ret;
	bool good;

	if (!splice_pipe_open(&p, size))
		return false;
	ret = splice_from(run->fd, DIO_READ_POS, &p, size, 0);
	good = dio_expect(ret == size, "result %zd", ret) &&
	       splice_holds(&p, size, DIO_READ_POS);
	splice_pipe_close(&p);
	return good;
}

bool plain_page(struct dio_run *run)
{
	return splice_size(run, BLOCK);
}

bool plain_pipe(struct dio_run *run)
{
	return splice_size(run, PIPE_SIZE);
}

bool plain_big(struct dio_run *run)
{
	return splice_size(run, BIG_PIPE);
}

/* What was spliced stays as it was when the file changes. */
bool plain_own_memory(struct dio_run *run)
{
	const size_t size = PIPE_SIZE;
	unsigned char *data = malloc(2 * size), *other = data + size;
	struct splice_pipe p;
	bool good;

	if (!data || !splice_pipe_open(&p, size))
		return false;
	dio_pattern_fill(data, size, DIO_WRITE_POS);
	memset(other, 0xee, size);
	good = dio_expect(splice_from(run->fd, DIO_WRITE_POS, &p, size, 0) ==
			  size, "result") &&
	       dio_run_prefill(run, size, DIO_WRITE_POS, 0xee) &&
	       splice_holds(&p, size, DIO_WRITE_POS);
	splice_pipe_close(&p);
	free(data);
	return good && !dio_target_fill(run->target);
}

static bool three_results(int fd, const off_t *pos, const ssize_t *wanted,
			  bool check)
{
	struct splice_pipe p;
	ssize_t ret;
	int i;

	for (i = 0; i < 3; i++) {
		if (!splice_pipe_open(&p, PIPE_SIZE))
			return false;
		ret = splice_from(fd, pos[i], &p, PIPE_SIZE, 0);
		if (!dio_expect(ret == wanted[i], "at %ld: result %zd",
				(long)pos[i], ret) ||
		    (check && ret > 0 && !splice_holds(&p, ret, pos[i])))
			return false;
		splice_pipe_close(&p);
	}
	return true;
}

bool plain_file_end(struct dio_run *run)
{
	const size_t size = 2 * BLOCK + 1808;
	const off_t pos[] = { 0, 2 * BLOCK, 3 * BLOCK };
	const ssize_t wanted[] = { size, 1808, 0 };
	int fd = dio_scratch_create(0, size, size);
	bool good;

	good = dio_expect(fd >= 0, "scratch: %s", strerror(-fd)) &&
	       three_results(fd, pos, wanted, true);
	close(fd);
	return good;
}

bool plain_device_end(struct dio_run *run)
{
	const off_t end = lseek(run->fd, 0, SEEK_END);
	const off_t pos[] = { end - 3 * BLOCK, end - DIO_SECTOR, end };
	const ssize_t wanted[] = { 3 * BLOCK, DIO_SECTOR, 0 };

	return three_results(run->fd, pos, wanted, false);
}

/* Nothing is there, and what would overflow is refused. */
bool plain_far_off(struct dio_run *run)
{
	const off_t pos[] = {
		MAX_BYTES - BLOCK, LAST_BLOCK - PIPE_SIZE, LAST_BLOCK
	};
	const ssize_t wanted[] = { 0, 0, -EINVAL };

	return three_results(run->fd, pos, wanted, false);
}

bool plain_hole(struct dio_run *run)
{
	int fd = dio_scratch_create(2 * BLOCK, BLOCK, 4 * BLOCK);
	unsigned char data[2 * BLOCK];
	struct splice_pipe p;
	ssize_t ret;
	bool good;

	if (!dio_expect(fd >= 0, "scratch: %s", strerror(-fd)) ||
	    !splice_pipe_open(&p, PIPE_SIZE))
		return false;
	ret = splice_from(fd, 0, &p, PIPE_SIZE, 0);
	good = dio_expect(ret == 4 * BLOCK, "result %zd", ret) &&
	       dio_expect(read(p.out, data, 2 * BLOCK) == 2 * BLOCK &&
			  dio_all_is(data, 2 * BLOCK, 0), "no zeros ahead of the data") &&
	       splice_holds(&p, BLOCK, 2 * BLOCK) &&
	       dio_expect(read(p.out, data, BLOCK) == BLOCK &&
			  dio_all_is(data, BLOCK, 0), "no zeros behind the data");
	splice_pipe_close(&p);
	close(fd);
	return good;
}

bool plain_misaligned(struct dio_run *run)
{
	const off_t pos[] = { 1, 100, DIO_SECTOR + 4 };
	struct splice_pipe p;
	ssize_t ret;
	int i;

	for (i = 0; i < 3; i++) {
		if (!splice_pipe_open(&p, PIPE_SIZE))
			return false;
		ret = splice_from(run->fd, pos[i], &p, PIPE_SIZE, 0);
		if (!dio_expect(ret == -EINVAL || ret > 0, "result %zd", ret) ||
		    (ret > 0 && !splice_holds(&p, ret, pos[i])))
			return false;
		splice_pipe_close(&p);
	}
	return true;
}

/* A byte takes a page of the pipe; what is left of it can be used. */
bool plain_partly_full(struct dio_run *run)
{
	struct splice_pipe p;
	ssize_t ret, again;
	bool good;
	char byte;

	if (!splice_pipe_open(&p, 4 * BLOCK) || write(p.in, "x", 1) != 1)
		return false;
	ret = splice_from(run->fd, DIO_READ_POS, &p, PIPE_SIZE, 0);
	again = splice_from(run->fd, DIO_READ_POS, &p, PIPE_SIZE,
			    SPLICE_F_NONBLOCK);
	good = dio_expect(ret == 3 * BLOCK && again == -EAGAIN,
			  "results %zd, %zd", ret, again) &&
	       dio_expect(read(p.out, &byte, 1) == 1 && byte == 'x',
			  "first byte lost") &&
	       splice_holds(&p, ret, DIO_READ_POS);
	splice_pipe_close(&p);
	return good;
}

bool plain_no_reader(struct dio_run *run)
{
	struct splice_pipe p;
	ssize_t ret;

	if (!splice_pipe_open(&p, PIPE_SIZE))
		return false;
	close(p.out);
	ret = splice_from(run->fd, DIO_READ_POS, &p, PIPE_SIZE, 0);
	close(p.in);
	return dio_expect(ret == -EPIPE, "result %zd", ret);
}

bool plain_send_to_pipe(struct dio_run *run)
{
	off_t pos = DIO_READ_POS;
	struct splice_pipe p;
	ssize_t ret;
	bool good;

	if (!splice_pipe_open(&p, PIPE_SIZE))
		return false;
	ret = sendfile(p.in, run->fd, &pos, PIPE_SIZE);
	good = dio_expect(ret == PIPE_SIZE, "result %zd", ret) &&
	       splice_holds(&p, ret, DIO_READ_POS);
	splice_pipe_close(&p);
	return good;
}

bool plain_send_to_file(struct dio_run *run)
{
	int out = memfd_create("dio_splice", 0);
	off_t pos = DIO_READ_POS;
	ssize_t ret = 0, more;
	bool right;
	void *map;

	/* What ends a system call early is not a matter of the file. */
	do {
		more = sendfile(out, run->fd, &pos, SEND_SIZE - ret);
		if (more > 0)
			ret += more;
	} while (more > 0 && ret < SEND_SIZE);
	map = mmap(NULL, SEND_SIZE, PROT_READ, MAP_SHARED, out, 0);
	close(out);
	right = dio_expect(ret == SEND_SIZE && pos == DIO_READ_POS + ret,
			   "result %zd", ret) &&
		dio_expect(map != MAP_FAILED &&
			   dio_pattern_is(map, ret, DIO_READ_POS),
			   "wrong data");
	munmap(map, SEND_SIZE);
	return right;
}

bool plain_send_to_file_end(struct dio_run *run)
{
	const size_t size = 20 * BLOCK + 700;
	int fd = dio_scratch_create(0, size, size);
	int out = memfd_create("dio_splice", 0);
	off_t pos = 0;
	ssize_t ret;

	if (!dio_expect(fd >= 0, "scratch: %s", strerror(-fd)))
		return false;
	ret = sendfile(out, fd, &pos, SEND_SIZE);
	close(fd);
	close(out);
	return dio_expect(ret == size, "result %zd", ret);
}
