// SPDX-License-Identifier: GPL-2.0
/*
 * Sending and receiving while the cipher has to wait.
 *
 * cryptd does its work in a kworker of the CPU that a request came from. A task
 * of a real-time class that stays on that CPU keeps the kworker away from it,
 * for as long as it does not sleep. That is the calling thread here; the one
 * that sends or receives has a higher priority, until it waits for the cipher.
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "dio_socket.h"

#define RT_RUNTIME	"/proc/sys/kernel/sched_rt_runtime_us"
#define HOLD_PRIORITY	10
#define IO_PRIORITY	20
#define HOLD_TIMEOUT	20	/* seconds; a debugging kernel is slow */

static char rt_runtime[32];	/* as it was; real time is to have all of it */
static cpu_set_t cpus;

/* For the whole program. Returns 0 or a negative errno. */
int sock_hold_prepare(void)
{
	int ret = dio_read_file(RT_RUNTIME, rt_runtime, sizeof(rt_runtime));

	return ret ? ret : dio_write_file(RT_RUNTIME, "-1");
}

void sock_hold_restore(void)
{
	dio_write_file(RT_RUNTIME, "%s", rt_runtime);
}

static int hold(void)
{
	struct sched_param param = { .sched_priority = HOLD_PRIORITY };
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) ||
	    sched_setaffinity(0, sizeof(here), &here) ||
	    sched_setscheduler(0, SCHED_FIFO, &param))
		return -errno;
	return 0;
}

static void let_go(void)
{
	struct sched_param param = { .sched_priority = 0 };

	sched_setscheduler(0, SCHED_OTHER, &param);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* In the calling thread */
ssize_t sock_io_now(struct sock_io *io)
{
	struct msghdr msg = { .msg_iov = io->iov, .msg_iovlen = io->nr_iov };
	ssize_t ret;

	if (io->way == SOCK_SEND)
		ret = sendmsg(io->fd, &msg, 0);
	else
		ret = recvmsg(io->fd, &msg, MSG_WAITALL);
	return ret < 0 ? -errno : ret;
}

static void *io_thread(void *arg)
{
	struct sock_io *io = arg;

	__atomic_store_n(&io->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	io->ret = sock_io_now(io);
	__atomic_store_n(&io->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static int start_thread(struct sock_io *io)
{
	struct sched_param param = { .sched_priority = IO_PRIORITY };
	pthread_attr_t attr;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	ret = pthread_create(&io->thread, &attr, io_thread, io);
	pthread_attr_destroy(&attr);
	return -ret;
}

static int start(struct sock_io *io)
{
	if (io->way != SOCK_AIO)
		return start_thread(io);
	io->aio = (struct dio_req) {
		.fd = io->fd,
		.iov = io->iov,
		.nr_iov = io->nr_iov,
		.method = DIO_AIO,
	};
	return dio_start(&io->aio);
}

/* Nothing but a cipher is waited for in a way that signals do not end. */
static bool thread_waits(struct sock_io *io)
{
	pid_t tid = __atomic_load_n(&io->tid, __ATOMIC_ACQUIRE);
	char path[64], text[512], *at;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (!tid || dio_read_file(path, text, sizeof(text)))
		return false;
	at = strrchr(text, ')');
	return at && at[2] == 'D';
}

/* Is it still on its way? */
bool sock_io_pending(struct sock_io *io)
{
	struct timespec now = { 0 };
	struct io_event event;

	if (io->way == SOCK_AIO && !io->done &&
	    syscall(SYS_io_getevents, io->aio.aio, 0, 1, &event, &now) == 1) {
		io->ret = event.res;
		io->done = true;
	}
	return !__atomic_load_n(&io->done, __ATOMIC_ACQUIRE);
}

/*
 * Starts an I/O that waits for its cipher until sock_io_finish_held(), if the
 * caller does not sleep before. Returns 0 or a negative errno.
 */
int sock_io_start_held(struct sock_io *io)
{
	double deadline = dio_now() + HOLD_TIMEOUT;
	int ret = hold();

	if (!ret)
		ret = start(io);
	if (ret) {
		let_go();
		return ret;
	}
	while (io->way != SOCK_AIO && !thread_waits(io)) {
		if (sock_io_pending(io) && dio_now() < deadline)
			continue;
		ret = sock_io_pending(io) ? -ETIMEDOUT : -EALREADY;
		sock_io_finish_held(io);
		return ret;
	}
	return 0;
}

ssize_t sock_io_finish_held(struct sock_io *io)
{
	let_go();
	if (io->way != SOCK_AIO)
		pthread_join(io->thread, NULL);
	else if (io->done)
		syscall(SYS_io_destroy, io->aio.aio);
	else
		return dio_finish(&io->aio);
	return io->ret;
}
