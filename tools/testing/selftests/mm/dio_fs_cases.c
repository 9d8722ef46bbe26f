// SPDX-License-Identifier: GPL-2.0
/* The cases of dio_fs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dio_fs.h"
#include "dio_splice.h"
#include "dio_user.h"

#define MAP_PAGES	16
#define MAP_SIZE	(MAP_PAGES * DIO_PAGE)
#define STEP		65536UL
#define STEPS		4
#define GAP_END		(3 * STEP)
#define KEPT_POS	0x300000

struct io {
	enum dio_method method;
	enum dio_mem mem;
	size_t len;		/* of a segment */
	int nr;
};

static const struct io one_page = { DIO_READ, DIO_MEM_4K, DIO_PAGE, 1 };
static const struct io one_large = { DIO_READ, DIO_MEM_4K, 1 << 20, 1 };
static const struct io segments = { DIO_PREADV, DIO_MEM_4K, DIO_PAGE, 300 };
static const struct io huge = { DIO_READ, DIO_MEM_THP, 256 << 10, 1 };
static const struct io aio = { DIO_AIO, DIO_MEM_4K, 65536, 1 };
static const struct io aio_segments = { DIO_AIO, DIO_MEM_4K, 8192, 40 };
static const struct io uring = { DIO_URING, DIO_MEM_4K, 65536, 1 };

static bool do_io(struct dio_run *run, bool write, off_t pos)
{
	const struct io *io = run->arg;
	struct iovec iov[DIO_MAX_SEGS];
	struct dio_req req = {
		.fd = run->fd,
		.write = write,
		.pos = pos,
		.iov = iov,
		.nr_iov = io->nr,
		.method = io->method,
	};
	ssize_t ret;
	int i;

	for (i = 0; i < io->nr; i++) {
		iov[i].iov_base = run->buf.data + i * io->len;
		iov[i].iov_len = io->len;
	}
	dio_run_pins(run, write, dio_iov_pages(iov, io->nr));
	ret = dio_start(&req);
	if (!ret)
		ret = dio_finish(&req);
	return dio_expect(ret == io->nr * io->len, "result %zd of %zu", ret,
			  io->nr * io->len);
}

static bool fs_read(struct dio_run *run)
{
	const struct io *io = run->arg;

	posix_fadvise(run->fd, 0, 0, POSIX_FADV_DONTNEED);
	return dio_run_buffer(run, io->mem, io->nr * io->len, USER_FILL) &&
	       do_io(run, false, DIO_READ_POS) &&
	       dio_expect(dio_pattern_is(run->buf.data, io->nr * io->len,
					 DIO_READ_POS), "wrong data");
}

static bool fs_write(struct dio_run *run)
{
	const struct io *io = run->arg;
	size_t size = io->nr * io->len;

	return dio_run_buffer(run, io->mem, size, USER_FILL) &&
	       dio_run_prefill(run, size, DIO_WRITE_POS, 0) &&
	       do_io(run, true, DIO_WRITE_POS) &&
	       dio_run_holds(run, size, DIO_WRITE_POS, USER_FILL);
}

/* Half of what is asked for is there. */
static bool fs_end(struct dio_run *run)
{
	off_t end = lseek(run->fd, 0, SEEK_END);
	unsigned char data[MAP_SIZE];
	ssize_t across, behind;
	int ret;

	ret = dio_target_load(run->target, data, MAP_SIZE, end - MAP_SIZE);
	if (!dio_expect(!ret, "reading the end: %s", strerror(-ret)) ||
	    !dio_run_buffer(run, DIO_MEM_4K, 2 * MAP_SIZE, USER_FILL))
		return false;
	dio_run_pins(run, false, MAP_PAGES);
	across = pread(run->fd, run->buf.data, 2 * MAP_SIZE, end - MAP_SIZE);
	behind = pread(run->fd, run->buf.data + MAP_SIZE, MAP_SIZE, end);
	return dio_expect(across == MAP_SIZE && !behind, "results %zd, %zd",
			  across, behind) &&
	       dio_expect(!memcmp(run->buf.data, data, MAP_SIZE), "wrong data");
}

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size;
}

/*
 * A file that was made larger without a write: up to its end it reads as zero,
 * whatever is on the device.
 */
static bool fs_moved_end(struct dio_run *run)
{
	const size_t written = 2 * DIO_PAGE + 808, size = 2 * DIO_PAGE + 1808;
	int fd = dio_scratch_create(0, written, size);
	unsigned char *data;
	ssize_t ret;

	if (!dio_expect(fd >= 0, "scratch: %s", strerror(-fd)) ||
	    !dio_run_buffer(run, DIO_MEM_4K, 4 * DIO_PAGE, USER_FILL))
		return false;
	data = run->buf.data;
	dio_run_pins(run, false, 3);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	ret = pread(fd, data, 4 * DIO_PAGE, 0);
	close(fd);
	return dio_expect(ret == size, "result %zd", ret) &&
	       dio_expect(dio_pattern_is(data, written, 0), "wrong data") &&
	       dio_expect(dio_all_is(data + written, size - written, 0),
			  "no zeros behind what was written");
}

static bool extend_by_step(struct dio_run *run, int fd, off_t pos)
{
	const struct io *io = run->arg;
	struct iovec iov = { run->buf.data, STEP };
	struct dio_req req = {
		.fd = fd,
		.write = true,
		.pos = pos,
		.iov = &iov,
		.nr_iov = 1,
		.method = io->method,
	};
	ssize_t ret;

	dio_pattern_fill(run->buf.data, STEP, pos);
	ret = dio_start(&req);
	if (!ret)
		ret = dio_finish(&req);
	return dio_expect(ret == STEP, "result %zd at %ld", ret, (long)pos) &&
	       dio_expect(size_of(fd) == pos + (off_t)STEP, "size %ld",
			  (long)size_of(fd));
}

/* Right behind the end, again and again */
static bool extend_evenly(struct dio_run *run, int fd)
{
	off_t pos;

	for (pos = 0; pos < STEPS * STEP; pos += STEP)
		if (!extend_by_step(run, fd, pos))
			return false;
	return true;
}

/* And once further off; what is in between reads as zero. */
static bool extend_with_gap(struct dio_run *run, int fd)
{
	return extend_by_step(run, fd, 0) && extend_by_step(run, fd, GAP_END);
}

static bool check_extended(struct dio_run *run, size_t size,
			   bool (*extend)(struct dio_run *run, int fd),
			   size_t gap, size_t gap_end)
{
	unsigned char *data = malloc(size);
	int fd = dio_scratch_create(0, 0, 0);
	bool good;

	good = dio_expect(data && fd >= 0, "scratch: %s", strerror(-fd)) &&
	       dio_run_buffer(run, DIO_MEM_4K, STEP, USER_FILL) &&
	       extend(run, fd) &&
	       dio_expect(dio_scratch_load(data, size) == size, "size read back") &&
	       dio_expect(dio_pattern_is(data, gap, 0) &&
			  dio_all_is(data + gap, gap_end - gap, 0) &&
			  dio_pattern_is(data + gap_end, size - gap_end,
					 gap_end), "wrong data written");
	close(fd);
	free(data);
	return good;
}

static bool fs_extend(struct dio_run *run)
{
	return check_extended(run, STEPS * STEP, extend_evenly, STEPS * STEP,
			      STEPS * STEP);
}

static bool fs_gap(struct dio_run *run)
{
	return check_extended(run, GAP_END + STEP, extend_with_gap, STEP,
			      GAP_END);
}

/* A file of the same file system, mapped */
static unsigned char *map_scratch(int flags)
{
	int fd = dio_scratch_create(0, MAP_SIZE, MAP_SIZE);
	void *map;

	if (!dio_expect(fd >= 0, "scratch: %s", strerror(-fd)))
		return NULL;
	map = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);
	close(fd);
	return dio_expect(map != MAP_FAILED, "mmap: %s", strerror(errno)) ?
	       map : NULL;
}

static bool read_to_map(struct dio_run *run, void *map)
{
	ssize_t ret = dio_run_io(run, false, map, MAP_SIZE, DIO_READ_POS);

	dio_run_pins(run, false, MAP_PAGES);
	return dio_expect(ret == MAP_SIZE, "result %zd", ret) &&
	       dio_expect(dio_pattern_is(map, MAP_SIZE, DIO_READ_POS),
			  "wrong data in the mapping");
}

static bool map_read(struct dio_run *run)
{
	unsigned char data[MAP_SIZE], *map = map_scratch(MAP_SHARED);
	bool good;

	if (!map)
		return false;
	good = read_to_map(run, map);
	munmap(map, MAP_SIZE);
	return good && dio_expect(dio_scratch_load(data, MAP_SIZE) == MAP_SIZE &&
				  dio_pattern_is(data, MAP_SIZE, DIO_READ_POS),
				  "data gone from the file");
}

static bool map_read_private(struct dio_run *run)
{
	unsigned char data[MAP_SIZE], *map = map_scratch(MAP_PRIVATE);
	bool good;

	if (!map)
		return false;
	good = read_to_map(run, map);
	munmap(map, MAP_SIZE);
	return good && dio_expect(dio_scratch_load(data, MAP_SIZE) == MAP_SIZE &&
				  dio_pattern_is(data, MAP_SIZE, 0),
				  "the file changed");
}

static bool map_write(struct dio_run *run)
{
	unsigned char data[MAP_SIZE], *map = map_scratch(MAP_SHARED);
	ssize_t ret;

	if (!map)
		return false;
	dio_run_pins(run, true, MAP_PAGES);
	ret = dio_run_io(run, true, map, MAP_SIZE, DIO_WRITE_POS);
	munmap(map, MAP_SIZE);
	return dio_expect(ret == MAP_SIZE, "result %zd", ret) &&
	       !dio_target_load(run->target, data, MAP_SIZE, DIO_WRITE_POS) &&
	       dio_expect(dio_pattern_is(data, MAP_SIZE, 0),
			  "wrong data written");
}

/* From one part of a file into another */
static bool map_read_same(struct dio_run *run)
{
	unsigned char data[MAP_SIZE], *map;
	bool good;

	map = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, run->fd,
		   DIO_WRITE_POS);
	if (!dio_expect(map != MAP_FAILED, "mmap: %s", strerror(errno)))
		return false;
	good = read_to_map(run, map);
	munmap(map, MAP_SIZE);
	return good &&
	       !dio_target_load(run->target, data, MAP_SIZE, DIO_WRITE_POS) &&
	       dio_expect(dio_pattern_is(data, MAP_SIZE, DIO_READ_POS),
			  "data gone from the file");
}

/* Written directly, to be looked for when the file system is mounted anew */
bool fs_keep(void)
{
	unsigned char *data = aligned_alloc(DIO_PAGE, STEP);
	int fd = dio_target_open(DIO_GIVEN);
	bool good;

	if (data)
		dio_pattern_fill(data, STEP, 1);
	good = data && fd >= 0 && pwrite(fd, data, STEP, KEPT_POS) == STEP;
	close(fd);
	free(data);
	return dio_expect(good, "last write: %s", strerror(errno));
}

bool fs_kept(void)
{
	unsigned char data[STEP];

	return dio_expect(!dio_target_load(DIO_GIVEN, data, STEP, KEPT_POS) &&
			  dio_pattern_is(data, STEP, 1),
			  "what was last written is gone");
}

/* At the end of what is only ever appended to */
static bool fs_append(struct dio_run *run)
{
	const struct io *io = run->arg;
	size_t size = io->nr * io->len;
	off_t end = size_of(run->fd);

	return dio_run_buffer(run, io->mem, size, USER_FILL) &&
	       do_io(run, true, end) &&
	       dio_expect(size_of(run->fd) == end + (off_t)size, "size %ld",
			  (long)size_of(run->fd)) &&
	       dio_run_holds(run, size, end, USER_FILL);
}

static const struct dio_case read_cases[] = {
	{ "read 4K", fs_read, &one_page },
	{ "read 1M", fs_read, &one_large },
	{ "read, 300 segments", fs_read, &segments },
	{ "read into THP", fs_read, &huge },
	{ "read into partly unmapped memory", edge_read_unmapped },
};

static const struct dio_case misaligned_read_cases[] = {
	{ "read into misaligned memory", edge_read_misaligned },
};

static const struct dio_case write_cases[] = {
	{ "write 4K", fs_write, &one_page },
	{ "write 1M", fs_write, &one_large },
	{ "write, 300 segments", fs_write, &segments },
	{ "write from THP", fs_write, &huge },
	{ "write from partly unmapped memory", edge_write_unmapped },
	{ "write from untouched memory", source_zero },
};

static const struct dio_case misaligned_write_cases[] = {
	{ "write from misaligned memory", edge_write_misaligned },
};

static const struct dio_case async_read_cases[] = {
	{ "read, libaio", fs_read, &aio },
	{ "read, libaio, 40 segments", fs_read, &aio_segments },
	{ "read, io_uring", fs_read, &uring },
	{ "munmap in flight", dest_munmap },
	{ "kill in flight", dest_kill_aio },
};

static const struct dio_case async_write_cases[] = {
	{ "write, libaio", fs_write, &aio },
	{ "write, libaio, 40 segments", fs_write, &aio_segments },
	{ "write, io_uring", fs_write, &uring },
};

static const struct dio_case many_write_cases[] = {
	{ "64 writes in flight", source_zero_in_flight },
};

static const struct dio_case splice_cases[] = {
	{ "splice a page", plain_page },
	{ "splice a full pipe", plain_pipe },
	{ "sendfile 1M to a file", plain_send_to_file },
};

static const struct dio_case hole_cases[] = {
	{ "read across holes", edge_hole },
	{ "splice across holes", plain_hole },
};

static const struct dio_case end_cases[] = {
	{ "read across the end", fs_end },
};

static const struct dio_case new_end_cases[] = {
	{ "read across an end inside of a block", edge_file_end },
	{ "read across an end that was moved out", fs_moved_end },
	{ "splice across an end inside of a block", plain_file_end },
};

static const struct dio_case extend_cases[] = {
	{ "extend, write", fs_extend, &one_page },
	{ "extend, libaio", fs_extend, &aio },
};

static const struct dio_case gap_cases[] = {
	{ "leave a gap, write", fs_gap, &one_page },
	{ "leave a gap, libaio", fs_gap, &aio },
};

static const struct dio_case sub_block_cases[] = {
	{ "write a part of a block", edge_sub_block },
	{ "write a part of a hole", edge_sub_block_hole },
};

static const struct dio_case sub_block_gap_cases[] = {
	{ "write a part of a new block", edge_sub_block_extend },
};

/* From a full pipe, in whose order the pages lie anywhere */
static bool fs_append_splice(struct dio_run *run)
{
	unsigned char data[PIPE_SIZE];
	off_t end = size_of(run->fd);
	struct splice_pipe p;
	loff_t pos = end;
	ssize_t ret;
	bool good;

	if (!splice_pipe_open(&p, PIPE_SIZE))
		return false;
	dio_pattern_fill(data, PIPE_SIZE, end);
	good = write(p.in, data, PIPE_SIZE) == PIPE_SIZE;
	ret = splice(p.out, NULL, run->fd, &pos, PIPE_SIZE, 0);
	splice_pipe_close(&p);
	return good && dio_expect(ret == PIPE_SIZE, "result %zd", ret) &&
	       !dio_target_load(run->target, data, PIPE_SIZE, end) &&
	       dio_expect(dio_pattern_is(data, PIPE_SIZE, end),
			  "wrong data written");
}

static const struct dio_case append_cases[] = {
	{ "append 4K", fs_append, &one_page },
	{ "append 1M", fs_append, &one_large },
	{ "append, 300 segments", fs_append, &segments },
	{ "append from THP", fs_append, &huge },
	{ "append, libaio", fs_append, &aio },
	{ "append, io_uring", fs_append, &uring },
	{ "append, splice", fs_append_splice },
};

static const struct dio_case map_same_cases[] = {
	{ "read into the same file, mapped", map_read_same },
	{ "write from the same file, mapped", source_page_cache },
};

static const struct dio_case map_cases[] = {
	{ "read into a mapped file", map_read },
	{ "read into a privately mapped file", map_read_private },
	{ "write from a mapped file", map_write },
};

static const struct dio_case cache_cases[] = {
	{ "read, and read again from the cache", cache_fill },
};

static const struct dio_case cache_async_cases[] = {
	{ "read from the cache in flight", cache_read_held },
	{ "kill, read from the cache in flight", cache_kill_held },
	{ "write to the cache in flight", cache_write_held },
};

static const struct fork_case fork_fine[] = {
	{ R, DIO_READ, DIO_MEM_4K, PART, STAYS },
	{ R, DIO_PREADV, DIO_MEM_4K, SHARED, STAYS },
};

static const struct fork_case fork_reads[] = {
	{ R, DIO_READ, DIO_MEM_4K, FULL_4K, STAYS },
	{ R, DIO_READ, DIO_MEM_THP, FULL_64K, EXITS },
	{ R, DIO_AIO, DIO_MEM_4K, FULL_64K, STAYS },
	{ R, DIO_URING, DIO_MEM_4K, FULL_64K, WRITES },
};

static const struct fork_case fork_writes[] = {
	{ W, DIO_READ, DIO_MEM_4K, FULL_4K, WRITES },
	{ W, DIO_AIO, DIO_MEM_4K, FULL_64K, WRITES },
};

const struct fs_group fs_groups[] = {
	{ "read", DIO_CAN_READ, 0, read_cases, NULL,
	  ARRAY_SIZE(read_cases) },
	{ "read", DIO_CAN_READ | DIO_CAN_JUDGE, 0, misaligned_read_cases, NULL,
	  ARRAY_SIZE(misaligned_read_cases) },
	{ "write", DIO_CAN_WRITE, 0, write_cases, NULL,
	  ARRAY_SIZE(write_cases) },
	{ "write", DIO_CAN_WRITE | DIO_CAN_JUDGE, 0, misaligned_write_cases,
	  NULL, ARRAY_SIZE(misaligned_write_cases) },
	{ "async", DIO_CAN_READ, 0, async_read_cases, NULL,
	  ARRAY_SIZE(async_read_cases) },
	{ "async", DIO_CAN_WRITE, 0, async_write_cases, NULL,
	  ARRAY_SIZE(async_write_cases) },
	{ "async", DIO_CAN_QUEUE, 0, many_write_cases, NULL,
	  ARRAY_SIZE(many_write_cases) },
	{ "fork", DIO_CAN_READ, DIO_SECTOR, NULL, fork_fine,
	  ARRAY_SIZE(fork_fine) },
	{ "fork", DIO_CAN_READ, 0, NULL, fork_reads,
	  ARRAY_SIZE(fork_reads) },
	{ "fork", DIO_CAN_WAIT, 0, NULL, fork_writes,
	  ARRAY_SIZE(fork_writes) },
	{ "splice", DIO_CAN_READ, 0, splice_cases, NULL,
	  ARRAY_SIZE(splice_cases) },
	{ "holes", DIO_CAN_CREATE, 0, hole_cases, NULL,
	  ARRAY_SIZE(hole_cases) },
	{ "end", DIO_CAN_READ, 0, end_cases, NULL,
	  ARRAY_SIZE(end_cases) },
	{ "end", DIO_CAN_CREATE, 0, new_end_cases, NULL,
	  ARRAY_SIZE(new_end_cases) },
	{ "extend", DIO_CAN_CREATE, 0, extend_cases, NULL,
	  ARRAY_SIZE(extend_cases) },
	{ "extend", DIO_CAN_CREATE, DIO_SECTOR, sub_block_cases, NULL,
	  ARRAY_SIZE(sub_block_cases) },
	{ "extend", DIO_CAN_CREATE | DIO_CAN_GAP, 0, gap_cases, NULL,
	  ARRAY_SIZE(gap_cases) },
	{ "extend", DIO_CAN_CREATE | DIO_CAN_GAP, DIO_SECTOR,
	  sub_block_gap_cases, NULL, ARRAY_SIZE(sub_block_gap_cases) },
	{ "extend", DIO_CAN_APPEND, 0, append_cases, NULL,
	  ARRAY_SIZE(append_cases) },
	{ "mmap", DIO_CAN_WRITE, 0, map_same_cases, NULL,
	  ARRAY_SIZE(map_same_cases) },
	{ "mmap", DIO_CAN_CREATE, 0, map_cases, NULL,
	  ARRAY_SIZE(map_cases) },
	{ "read", DIO_CAN_CACHE, 0, cache_cases, NULL,
	  ARRAY_SIZE(cache_cases) },
	{ "async", DIO_CAN_CACHE, 0, cache_async_cases, NULL,
	  ARRAY_SIZE(cache_async_cases) },
};

const size_t fs_nr_groups = ARRAY_SIZE(fs_groups);
