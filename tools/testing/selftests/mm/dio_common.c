// SPDX-License-Identifier: GPL-2.0
/* Files, patterns, buffers and pins for the direct I/O selftests. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dio_common.h"

#define PM_PRESENT	0x8000000000000000ULL
#define PM_PFN_MASK	0x007fffffffffffffULL
#define KPF_THP_BIT	0x400000ULL
#define HUGE_SKIP	(64 * DIO_PAGE)	/* data starts inside of a huge page */

int dio_write_file(const char *path, const char *fmt, ...)
{
	char text[256];
	va_list args;
	int fd, len, ret = 0;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);

	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != len)
		ret = errno ? -errno : -EIO;
	close(fd);
	return ret;
}

int dio_read_file(const char *path, char *text, size_t size)
{
	ssize_t len;
	int fd;

	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	len = read(fd, text, size - 1);
	close(fd);
	if (len < 0)
		return -EIO;
	text[len] = '\0';
	return 0;
}

unsigned char dio_pattern(off_t pos)
{
	return ((uint32_t)pos * 2654435761U) >> 23;
}

void dio_pattern_fill(void *data, size_t len, off_t pos)
{
	unsigned char *p = data;

	while (len--)
		*p++ = dio_pattern(pos++);
}

bool dio_pattern_is(const void *data, size_t len, off_t pos)
{
	const unsigned char *p = data;

	while (len--)
		if (*p++ != dio_pattern(pos++))
			return false;
	return true;
}

bool dio_all_is(const void *data, size_t len, unsigned char byte)
{
	const unsigned char *p = data;

	while (len--)
		if (*p++ != byte)
			return false;
	return true;
}

double dio_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void dio_sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

static int map_small(struct dio_buf *buf, size_t size)
{
	buf->map_size = size;
	buf->map = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf->map == MAP_FAILED)
		return -errno;
	madvise(buf->map, size, MADV_NOHUGEPAGE);
	buf->data = buf->map;
	return 0;
}

/* A THP is only one if the kernel had a huge page at hand: look at it. */
static int map_thp(struct dio_buf *buf)
{
	unsigned long long flags = 0;
	unsigned long pfn;
	uintptr_t huge;

	buf->map_size = 2 * DIO_HUGE;
	buf->map = mmap(NULL, buf->map_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf->map == MAP_FAILED)
		return -errno;
	huge = ((uintptr_t)buf->map + DIO_HUGE - 1) & ~(DIO_HUGE - 1);
	if (madvise((void *)huge, DIO_HUGE, MADV_HUGEPAGE))
		return -errno;
	memset((void *)huge, 1, DIO_PAGE);
	buf->data = (unsigned char *)huge + HUGE_SKIP;
	if (dio_pfns(buf->data, &pfn, 1) || dio_kpageflags(pfn, &flags))
		return -ENODATA;
	return flags & KPF_THP_BIT ? 0 : -ENOMEM;
}

static int map_hugetlb(struct dio_buf *buf)
{
	buf->map_size = DIO_HUGE;
	buf->map = mmap(NULL, buf->map_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (buf->map == MAP_FAILED)
		return -errno;
	buf->data = buf->map + HUGE_SKIP;
	return 0;
}

int dio_buf_alloc(struct dio_buf *buf, enum dio_mem mem, size_t size)
{
	int ret;

	memset(buf, 0, sizeof(*buf));
	buf->size = (size + DIO_PAGE - 1) & ~(DIO_PAGE - 1);
	if (mem != DIO_MEM_4K && buf->size > DIO_HUGE - HUGE_SKIP)
		return -E2BIG;
	if (mem == DIO_MEM_THP)
		ret = map_thp(buf);
	else if (mem == DIO_MEM_HUGETLB)
		ret = map_hugetlb(buf);
	else
		ret = map_small(buf, buf->size);
	if (ret)
		dio_buf_free(buf);
	return ret;
}

void dio_buf_free(struct dio_buf *buf)
{
	if (buf->map && buf->map != MAP_FAILED)
		munmap(buf->map, buf->map_size);
	memset(buf, 0, sizeof(*buf));
}

/* Page frames of @nr pages from @addr; 0 stands for one that is not there. */
int dio_pfns(const void *addr, unsigned long *pfns, size_t nr)
{
	off_t at = (uintptr_t)addr / DIO_PAGE * sizeof(unsigned long long);
	unsigned long long entry;
	int fd, ret = 0;

	fd = open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0)
		return -errno;
	for (; nr && !ret; nr--, at += sizeof(entry)) {
		if (pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
			ret = -EIO;
		else
			*pfns++ = entry & PM_PRESENT ? entry & PM_PFN_MASK : 0;
	}
	close(fd);
	return ret;
}

int dio_kpageflags(unsigned long pfn, unsigned long long *flags)
{
	int fd, ret = 0;

	fd = open("/proc/kpageflags", O_RDONLY);
	if (fd < 0)
		return -errno;
	if (pread(fd, flags, sizeof(*flags), pfn * sizeof(*flags)) !=
	    sizeof(*flags))
		ret = -EIO;
	close(fd);
	return ret;
}

static long vmstat_value(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? atol(at + strlen(name)) : 0;
}

/* The counters are per CPU and summed up lazily, unless one asks for it. */
static bool read_vmstat(char *text, size_t size)
{
	dio_read_file("/proc/sys/vm/stat_refresh", text, size);
	return !dio_read_file("/proc/vmstat", text, size);
}

/* @name ends in a space, so that it is not the start of another one. */
long dio_vmstat(const char *name)
{
	char text[16384];

	return read_vmstat(text, sizeof(text)) ? vmstat_value(text, name) : 0;
}

void dio_pins_read(struct dio_pins *pins)
{
	char text[16384];

	memset(pins, 0, sizeof(*pins));
	if (!read_vmstat(text, sizeof(text)))
		return;
	pins->acquired = vmstat_value(text, "nr_foll_pin_acquired ");
	pins->released = vmstat_value(text, "nr_foll_pin_released ");
}

/* Some pins are given back shortly after the completion: wait for them. */
struct dio_pins dio_pins_since(const struct dio_pins *start)
{
	double deadline = dio_now() + 2;
	struct dio_pins pins;

	for (;;) {
		dio_pins_read(&pins);
		pins.acquired -= start->acquired;
		pins.released -= start->released;
		if (pins.acquired == pins.released || dio_now() > deadline)
			return pins;
		dio_sleep_ms(10);
	}
}

/*
 * fork() copies a pinned anonymous page for the child and shares any other, so
 * equal frames in both prove that no pin was left behind. What was only loaded
 * from so far need not be mapped in the child at all.
 */
bool dio_fork_shares(const void *addr, size_t len)
{
	size_t i, nr = (len + DIO_PAGE - 1) / DIO_PAGE;
	unsigned long *mine = calloc(2 * nr, sizeof(*mine));
	unsigned long *theirs = mine + nr;
	bool shares = false;
	int status;
	pid_t pid;

	if (!mine || dio_pfns(addr, mine, nr))
		goto out;
	pid = fork();
	if (!pid) {
		if (dio_pfns(addr, theirs, nr))
			_exit(1);
		for (i = 0; i < nr; i++)
			if (theirs[i] && mine[i] != theirs[i])
				_exit(1);
		_exit(0);
	}
	shares = pid > 0 && waitpid(pid, &status, 0) == pid && !status;
out:
	free(mine);
	return shares;
}
