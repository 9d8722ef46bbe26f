/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the direct I/O selftests share: a device whose I/O can be held back,
 * targets on top of it, ways to submit an I/O, buffers, and pin counters.
 *
 * Functions return 0 or a negative errno where nothing else is said.
 */
#ifndef DIO_COMMON_H
#define DIO_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define DIO_PAGE	4096UL
#define DIO_HUGE	(2UL << 20)
#define DIO_SECTOR	512UL
#define DIO_REGION	(4UL << 20)	/* bytes of a target that hold the pattern */
#define DIO_READ_POS	0x080000	/* where the tests read and write: apart, */
#define DIO_WRITE_POS	0x200000	/* and inside of the region */
#define DIO_WARM_POS	0x3ff000
#define DIO_MAX_SEGS	1024
#define DIO_MOUNT_POINT	"/tmp/dio_selftest"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#endif

/* dio_common.c: files and patterns */
int dio_write_file(const char *path, const char *fmt, ...);
int dio_read_file(const char *path, char *text, size_t size);
unsigned char dio_pattern(off_t pos);
void dio_pattern_fill(void *data, size_t len, off_t pos);
bool dio_pattern_is(const void *data, size_t len, off_t pos);
bool dio_all_is(const void *data, size_t len, unsigned char byte);
double dio_now(void);
void dio_sleep_ms(unsigned int ms);

/* dio_common.c: buffers */
enum dio_mem { DIO_MEM_4K, DIO_MEM_THP, DIO_MEM_HUGETLB };

struct dio_buf {
	unsigned char *map;	/* what munmap() needs */
	size_t map_size;
	unsigned char *data;	/* page aligned; inside of the huge page */
	size_t size;
};

int dio_buf_alloc(struct dio_buf *buf, enum dio_mem mem, size_t size);
void dio_buf_free(struct dio_buf *buf);

/* dio_common.c: pages and pins */
struct dio_pins {
	long acquired;
	long released;
};

int dio_pfns(const void *addr, unsigned long *pfns, size_t nr);
int dio_kpageflags(unsigned long pfn, unsigned long long *flags);
void dio_pins_read(struct dio_pins *pins);
struct dio_pins dio_pins_since(const struct dio_pins *start);
long dio_vmstat(const char *name);
bool dio_fork_shares(const void *addr, size_t len);

/* dio_dev.c: the device that can be held */
void dio_dev_set_backing(const char *path);
void dio_dev_set_cached(const char *path);
int dio_dev_create(void);
void dio_dev_destroy(void);
const char *dio_dev_path(void);
int dio_dev_hold(void);
int dio_dev_wait_held(bool write);
int dio_dev_release(void);

/* dio_target.c: what stands on it */
enum dio_target {
	DIO_BDEV, DIO_EXT4, DIO_XFS, DIO_EXT2, DIO_VFAT, DIO_LOOP, DIO_SG,
	DIO_BTRFS, DIO_OVERLAY, DIO_GIVEN, DIO_NR_TARGETS
};

const char *dio_target_name(enum dio_target target);
int dio_target_setup(enum dio_target target);
void dio_target_teardown(enum dio_target target);
void dio_target_clear(void);
const char *dio_target_path(enum dio_target target);
size_t dio_target_align(enum dio_target target);
bool dio_target_direct(enum dio_target target, bool write);
int dio_target_open(enum dio_target target);
int dio_target_fill(enum dio_target target);
const char *dio_target_scratch(void);
bool dio_is_cached(int fd, off_t pos, size_t len);
void dio_forget(int fd, off_t pos, size_t len);
int dio_scratch_create(off_t from, size_t written, size_t size);
ssize_t dio_scratch_load(void *data, size_t size);
int dio_target_load(enum dio_target target, void *data, size_t len, off_t pos);

/* dio_command.c: a file system by way of a command */
#define DIO_CAN_READ	1
#define DIO_CAN_WRITE	2	/* anywhere in the file */
#define DIO_CAN_WAIT	4	/* with a write in flight, without a thread */
#define DIO_CAN_CREATE	32	/* other files */
#define DIO_CAN_GAP	64	/* and begin to write behind their ends */
#define DIO_CAN_QUEUE	128	/* many writes in flight, without a thread */
#define DIO_CAN_JUDGE	256	/* alignment of memory, all the way down */
#define DIO_CAN_APPEND	8	/* at the end of the file, and nowhere else */
#define DIO_CAN_CACHE	16	/* what a network file system has read */

struct dio_given {
	const char *name;
	char **command;		/* ends in NULL, as execvp() wants it */
	size_t align;
	bool buffered[2];	/* reads, writes: by way of the page cache */
	bool holds;		/* I/O does not go to the device that is held */
	bool waits;		/* who submits an asynchronous I/O waits for it */
	unsigned int can;
};

extern struct dio_given dio_given;

int dio_given_step(const char *step);
int dio_given_mount(void);

/* dio_io.c: how an I/O is submitted */
enum dio_method {
	DIO_READ, DIO_PREADV, DIO_AIO, DIO_URING, DIO_URING_FIXED, DIO_SGIO
};

struct dio_req {
	int fd;
	bool write;
	off_t pos;
	struct iovec *iov;
	int nr_iov;
	enum dio_method method;
	union {
		struct dio_sync *sync;
		unsigned long aio;
		struct dio_uring *uring;
	};
};

ssize_t dio_sync_io(struct dio_req *req);
const char *dio_method_name(enum dio_method method, bool write);
int dio_start(struct dio_req *req);
ssize_t dio_finish(struct dio_req *req);
void dio_warm_up(const struct dio_req *req);
int dio_start_held(struct dio_req *req);
ssize_t dio_finish_held(struct dio_req *req);
size_t dio_iov_pages(const struct iovec *iov, int nr);

/* dio_uring.c: a ring for one I/O at a time */
int dio_uring_open(struct dio_uring **ring, const struct iovec *fixed);
void dio_uring_close(struct dio_uring *ring);
int dio_uring_submit(struct dio_req *req);
ssize_t dio_uring_wait(struct dio_uring *ring);

/* dio_stock.c: facts about kernels without pins in direct I/O */
bool dio_stock_store_keeps_unshared(enum dio_mem mem);
bool dio_stock_fork_spares_registered(enum dio_mem mem);

/* dio_case.c: cases and their results */
enum dio_result { DIO_LOST, DIO_KEPT, DIO_ERROR };

struct dio_run {
	enum dio_target target;
	int fd;			/* of the target, O_DIRECT */
	struct dio_buf buf;	/* looked at for pins and freed afterwards */
	long pages;		/* that have been pinned, at least */
	bool unpinned;		/* or none at all */
	const void *arg;	/* of the case */
	enum dio_result stock;	/* kept, if the case does not know better */
	bool lost;		/* why the case failed */
};

struct dio_case {
	const char *name;
	bool (*run)(struct dio_run *run);
	const void *arg;
};

struct dio_set {
	enum dio_target target;
	const struct dio_case *cases;
	size_t nr;
};

void dio_begin(unsigned int nr_cases);
void dio_result(const char *text, enum dio_result stock, enum dio_result seen,
		const struct dio_pins *pins, bool ok);
void dio_run_set(const struct dio_set *set, int setup);
void dio_run_sets(const struct dio_set *sets, size_t nr);
void dio_end(void);
bool dio_expect(bool good, const char *fmt, ...);
bool dio_need(bool there, const char *fmt, ...);
bool dio_target_there(enum dio_target target, int setup);
bool dio_run_buffer(struct dio_run *run, enum dio_mem mem, size_t size,
		    unsigned char fill);
ssize_t dio_run_iov(struct dio_run *run, bool write, struct iovec *iov, int nr,
		    off_t pos);
ssize_t dio_run_io(struct dio_run *run, bool write, void *base, size_t len,
		   off_t pos);
void dio_run_pins(struct dio_run *run, bool write, long pages);
bool dio_run_prefill(struct dio_run *run, size_t len, off_t pos,
		     unsigned char byte);
bool dio_run_holds(struct dio_run *run, size_t len, off_t pos,
		   unsigned char byte);

#endif /* DIO_COMMON_H */
