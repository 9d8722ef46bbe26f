// SPDX-License-Identifier: GPL-2.0
/*
 * Running cases and reporting them. Ahead of each TAP result stands a line
 * with what a kernel without page pinning shows, what was seen, and the pins
 * that were taken and given back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../kselftest.h"
#include "dio_common.h"

#define CLEAR_TIMEOUT	10

static const char * const result_names[] = {
	[DIO_LOST] = "lost",
	[DIO_KEPT] = "kept",
	[DIO_ERROR] = "error",
};

static char missing[256];	/* what the case at hand lacks, if anything */

/* Not the kernel's fault: it lacks the driver, or the machine lacks the tool. */
static bool is_missing(int ret)
{
	return ret == -ENOENT || ret == -ENODEV || ret == -ENXIO ||
	       ret == -ENOPKG || ret == -EACCES;
}

/* A test that was killed with its I/O held only ends when that is released. */
static int create_device(void)
{
	double deadline = dio_now() + CLEAR_TIMEOUT;
	int ret;

	for (;;) {
		dio_target_clear();
		ret = dio_dev_create();
		if (ret != -EBUSY || dio_now() > deadline)
			return ret;
		dio_sleep_ms(100);
	}
}

void dio_begin(unsigned int nr_cases)
{
	int ret;

	/* mkfs polls for seconds where random numbers are not ready yet */
	getrandom(&ret, sizeof(ret), 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	ksft_set_plan(nr_cases);
	ret = create_device();
	if (is_missing(ret))
		ksft_exit_skip("no device to hold: %s\n", strerror(-ret));
	if (ret)
		ksft_exit_fail_msg("device to hold: %s\n", strerror(-ret));
}

/* Not every kernel's kselftest.h has ksft_finished(). */
void dio_end(void)
{
	unsigned int good = ksft_get_pass_cnt() + ksft_get_xskip_cnt();

	dio_dev_destroy();
	ksft_print_cnts();
	exit(good == ksft_plan ? KSFT_PASS : KSFT_FAIL);
}

void dio_result(const char *text, enum dio_result stock, enum dio_result seen,
		const struct dio_pins *pins, bool ok)
{
	ksft_print_msg("case: %s | stock %s | seen %s | pins +%ld -%ld\n",
		       text, result_names[stock], result_names[seen],
		       pins->acquired, pins->released);
	if (missing[0])
		ksft_test_result_skip("%s: %s\n", text, missing);
	else if (seen == DIO_KEPT && ok)
		ksft_test_result_pass("%s\n", text);
	else
		ksft_test_result_fail("%s\n", text);
	missing[0] = '\0';
}

/* A case that does not find what it works with is skipped. */
bool dio_need(bool there, const char *fmt, ...)
{
	va_list args;

	if (there)
		return true;
	va_start(args, fmt);
	vsnprintf(missing, sizeof(missing), fmt, args);
	va_end(args);
	return false;
}

bool dio_target_there(enum dio_target target, int setup)
{
	const char *name = dio_target_name(target);

	if (is_missing(setup))
		return dio_need(false, "%s: %s", name, strerror(-setup));
	return dio_expect(!setup, "%s: %s", name, strerror(-setup));
}

bool dio_expect(bool good, const char *fmt, ...)
{
	char text[256];
	va_list args;

	if (good)
		return true;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ksft_print_msg("%s\n", text);
	return false;
}

static bool pins_right(const struct dio_run *run, const struct dio_pins *pins)
{
	return pins->acquired >= run->pages &&
	       (!run->unpinned || !pins->acquired) &&
	       pins->acquired == pins->released &&
	       (!run->buf.data ||
		dio_fork_shares(run->buf.data, run->buf.size));
}

static void run_case(enum dio_target target, const struct dio_case *c,
		     int setup)
{
	struct dio_run run = {
		.target = target,
		.fd = -1,
		.arg = c->arg,
		.stock = DIO_KEPT,
	};
	enum dio_result seen = DIO_ERROR;
	struct dio_pins start, pins;
	char text[160];

	snprintf(text, sizeof(text), "%s, %s", dio_target_name(target),
		 c->name);
	if (dio_target_there(target, setup))
		run.fd = dio_target_open(target);
	dio_pins_read(&start);
	if (run.fd >= 0 && c->run(&run))
		seen = DIO_KEPT;
	else if (run.lost)
		seen = DIO_LOST;
	pins = dio_pins_since(&start);
	dio_result(text, run.stock, seen, &pins, pins_right(&run, &pins));
	if (run.fd >= 0)
		close(run.fd);
	dio_buf_free(&run.buf);
}

/* @setup is what setting up the target returned. */
void dio_run_set(const struct dio_set *set, int setup)
{
	size_t i;

	for (i = 0; i < set->nr; i++)
		run_case(set->target, &set->cases[i], setup);
}

/* The whole program, for one that needs no more than this */
void dio_run_sets(const struct dio_set *sets, size_t nr)
{
	unsigned int cases = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		cases += sets[i].nr;
	dio_begin(cases);
	for (i = 0; i < nr; i++) {
		dio_run_set(&sets[i], dio_target_setup(sets[i].target));
		dio_target_teardown(sets[i].target);
	}
	dio_end();
}

bool dio_run_buffer(struct dio_run *run, enum dio_mem mem, size_t size,
		    unsigned char fill)
{
	int ret = dio_buf_alloc(&run->buf, mem, size);

	if (!ret)
		memset(run->buf.data, fill, size);
	return dio_need(!ret, "no buffer: %s", strerror(-ret));
}

/* Result or negative errno of an I/O that is not held */
ssize_t dio_run_iov(struct dio_run *run, bool write, struct iovec *iov, int nr,
		    off_t pos)
{
	struct dio_req req = {
		.fd = run->fd,
		.write = write,
		.pos = pos,
		.iov = iov,
		.nr_iov = nr,
		.method = run->target == DIO_SG ? DIO_SGIO : DIO_PREADV,
	};

	return dio_sync_io(&req);
}

ssize_t dio_run_io(struct dio_run *run, bool write, void *base, size_t len,
		   off_t pos)
{
	struct iovec iov = { .iov_base = base, .iov_len = len };

	return dio_run_iov(run, write, &iov, 1, pos);
}

/* What a direct I/O pins; one by way of the page cache pins nothing. */
void dio_run_pins(struct dio_run *run, bool write, long pages)
{
	if (dio_target_direct(run->target, write))
		run->pages = pages;
	else
		run->unpinned = true;
}

/* Through the page cache, taking no pins */
bool dio_run_prefill(struct dio_run *run, size_t len, off_t pos,
		     unsigned char byte)
{
	int fd = open(dio_target_path(run->target), O_RDWR);
	unsigned char *data = malloc(len);
	ssize_t done;
	bool good;

	if (data)
		memset(data, byte, len);
	done = data ? pwrite(fd, data, len, pos) : -1;
	good = dio_expect(done < 0 || done == (ssize_t)len,
			  "prefill: result %zd", done) &&
	       dio_expect(done > 0 && !fsync(fd), "prefill: %s",
			  strerror(errno));
	if (good)
		dio_forget(fd, pos, len);
	free(data);
	close(fd);
	return good;
}

/* Does the target hold @byte all over the range? */
bool dio_run_holds(struct dio_run *run, size_t len, off_t pos,
		   unsigned char byte)
{
	unsigned char *back = malloc(len);
	bool holds;
	int ret;

	ret = back ? dio_target_load(run->target, back, len, pos) : -ENOMEM;
	holds = dio_expect(!ret, "reading back: %s", strerror(-ret)) &&
		dio_expect(dio_all_is(back, len, byte), "wrong data written");
	free(back);
	return holds;
}
