// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the test guest: mounts what tests need, runs the programs that the
 * kernel command line names, each under its own time-out, scans for leaked
 * memory and powers off.
 *
 * The programs' output and this program's own lines, which all begin with
 * "harness: ", go to the virtio port named "harness"; the console carries
 * kernel messages and what programs say on stderr.
 *
 *   plan=NAME:SECONDS,...	run /selftests/NAME, kill it after SECONDS;
 *				NAME@ARGUMENT gives it an argument
 *   shell=1			an interactive shell on the console instead
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PORT		"/dev/vport0p1"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
/* An object must be this old before kmemleak calls it leaked. */
#define KMEMLEAK_AGE	6
/* How long killed processes may take to go, and output to arrive. */
#define GRACE_MS	10000
/* How often the console shows that this program is alive. */
#define BEAT_MS		20000

static const struct {
	const char *type, *dir;
} mounts[] = {
	{ "proc", "/proc" },
	{ "sysfs", "/sys" },
	{ "devtmpfs", "/dev" },
	{ "devpts", "/dev/pts" },
	{ "tmpfs", "/dev/shm" },
	{ "tmpfs", "/tmp" },
	{ "tmpfs", "/run" },
	{ "tmpfs", "/mnt" },
	{ "hugetlbfs", "/dev/hugepages" },
	{ "debugfs", "/sys/kernel/debug" },
	{ "configfs", "/sys/kernel/config" },
	{ NULL, NULL }
};

static int channel = STDOUT_FILENO;

static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdprintf(channel, fmt, ap);
	va_end(ap);
}

static bool write_all(int fd, const char *buf, size_t size)
{
	ssize_t n;

	while (size) {
		n = write(fd, buf, size);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			buf += n;
			size -= n;
		}
	}
	return true;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok;

	if (fd < 0)
		return false;
	ok = write_all(fd, text, strlen(text));
	close(fd);
	return ok;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void mount_all(void)
{
	size_t i;

	/* Not every kernel has all of them; a test that needs one will say so. */
	for (i = 0; mounts[i].type; i++) {
		mkdir(mounts[i].dir, 0755);
		mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0, NULL);
	}
	symlink("/proc/self/fd", "/dev/fd");
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void open_channel(void)
{
	int fd, tries;

	/* The device is probed asynchronously to the start of this program. */
	for (tries = 0; tries < 100; tries++) {
		fd = open(PORT, O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			channel = fd;
			return;
		}
		usleep(100000);
	}
	say("harness: no virtio port, reporting on the console\n");
}

/*
 * Programs write to a terminal rather than to a pipe: stdio then flushes at
 * every line, so that nothing is lost when a program is killed, and nothing
 * is written twice when it forks.
 */
static int open_terminal(char *slave, size_t size)
{
	struct termios tio;
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;
	if (grantpt(fd) || unlockpt(fd) || ptsname_r(fd, slave, size) ||
	    tcgetattr(fd, &tio)) {
		close(fd);
		return -1;
	}
	cfmakeraw(&tio);
	tcsetattr(fd, TCSANOW, &tio);
	return fd;
}

static void exec_program(const char *path, const char *argument,
			 const char *slave)
{
	int fd, null;

	setsid();
	fd = open(slave, O_RDWR | O_NOCTTY);
	null = open("/dev/null", O_RDONLY);
	if (fd < 0 || null < 0)
		_exit(127);
	dup2(null, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	close(fd);
	close(null);
	if (chdir("/tmp"))
		_exit(127);
	execl(path, path, argument, NULL);
	_exit(127);
}

/* Returns false when every writer is gone and all has been read. */
static bool forward(int fd, int timeout_ms, char *last)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char buf[4096];
	ssize_t n;

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return true;
	n = read(fd, buf, sizeof(buf));
	if (n > 0) {
		write_all(channel, buf, n);
		*last = buf[n - 1];
		return true;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Reads output until @pid ends or @timeout_ms is over; true if it ended. */
static bool watch(pid_t pid, int fd, long long timeout_ms, int *status,
		  char *last)
{
	long long start = now_ms(), end = start + timeout_ms, now;
	long long beat = start + BEAT_MS;

	while ((now = now_ms()) < end) {
		forward(fd, 100, last);
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		if (now < beat)
			continue;
		/* The host ends a guest that is silent for long. */
		dprintf(STDERR_FILENO, "harness: still running after %lld s\n",
			(now - start) / 1000);
		beat += BEAT_MS;
	}
	return false;
}

/* Ends everything that a program left behind; false if something stays. */
static bool kill_all(void)
{
	long long end = now_ms() + GRACE_MS;
	pid_t pid;

	kill(-1, SIGKILL);
	do {
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0)
			return true;
		if (!pid)
			usleep(10000);
	} while (now_ms() < end);
	return false;
}

static void drain(int fd, char *last)
{
	long long end = now_ms() + GRACE_MS;

	while (now_ms() < end)
		if (!forward(fd, 100, last))
			return;
}

/* On the console, too, to tell whose the kernel's reports are */
static void say_begin(const char *name)
{
	say("harness: begin %s\n", name);
	dprintf(STDERR_FILENO, "harness: begin %s\n", name);
}

/* Says how @name ended; false if the guest cannot go on after it. */
static bool run_program(const char *name, long seconds)
{
	int program = strcspn(name, "@");
	const char *argument = name[program] ? name + program + 1 : NULL;
	long long start = now_ms();
	char path[256], slave[64], last = '\n';
	bool ended, gone;
	int fd, status = 0;
	pid_t pid;

	snprintf(path, sizeof(path), "/selftests/%.*s", program, name);
	say_begin(name);
	if (access(path, X_OK)) {
		say("harness: end %s missing 0\n", name);
		return true;
	}
	fd = open_terminal(slave, sizeof(slave));
	pid = fd < 0 ? -1 : fork();
	if (pid < 0) {
		say("harness: end %s unstarted 0\n", name);
		return true;
	}
	if (!pid)
		exec_program(path, argument, slave);
	ended = watch(pid, fd, seconds * 1000LL, &status, &last);
	/* Who blocks whom goes to the console, while it can still be seen. */
	if (!ended)
		write_file("/proc/sysrq-trigger", "w");
	gone = kill_all();
	drain(fd, &last);
	close(fd);
	say("%sharness: end %s ", last == '\n' ? "" : "\n", name);
	if (!gone)
		say("stuck");
	else if (!ended)
		say("timeout");
	else if (WIFSIGNALED(status))
		say("signal:%d", WTERMSIG(status));
	else
		say("exit:%d", WEXITSTATUS(status));
	say(" %lld\n", (now_ms() - start) / 1000);
	return gone;
}

/* How many mounts and block devices there are */
static int count_state(void)
{
	FILE *mounted = setmntent("/proc/mounts", "r");
	DIR *disks = opendir("/sys/block");
	int nr = 0;

	while (mounted && getmntent(mounted))
		nr++;
	while (disks && readdir(disks))
		nr++;
	if (mounted)
		endmntent(mounted);
	if (disks)
		closedir(disks);
	return nr;
}

/* What a program on a file system leaves behind would be in the way. */
static bool is_clean(const char *name, int before)
{
	if (!strchr(name, '@') || count_state() == before)
		return true;
	say("harness: %s left mounts or devices behind\n", name);
	return false;
}

static bool run_plan(char *plan)
{
	char *save, *item, *colon;
	int before;

	for (item = strtok_r(plan, ",", &save); item;
	     item = strtok_r(NULL, ",", &save)) {
		colon = strchr(item, ':');
		if (!colon) {
			say("harness: bad plan item %s\n", item);
			return false;
		}
		*colon = '\0';
		before = count_state();
		if (!run_program(item, atol(colon + 1)) ||
		    !is_clean(item, before))
			return false;
	}
	return true;
}

/* Puts every leak on the console, where the host looks for reports. */
static void scan_leaks(void)
{
	char buf[4096];
	ssize_t n;
	int fd;

	if (access(KMEMLEAK, W_OK))
		return;
	sleep(KMEMLEAK_AGE);
	/* An object counts as leaked when two scans did not find it. */
	if (!write_file(KMEMLEAK, "scan") || !write_file(KMEMLEAK, "scan")) {
		say("harness: kmemleak off\n");
		return;
	}
	fd = open(KMEMLEAK, O_RDONLY);
	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		write_all(STDERR_FILENO, buf, n);
	if (fd >= 0)
		close(fd);
	say("harness: kmemleak scanned\n");
}

static void run_shell(void)
{
	pid_t pid = fork();
	int fd;

	if (!pid) {
		setsid();
		/* Opened by the session's leader, it becomes its terminal. */
		fd = open("/dev/ttyS0", O_RDWR);
		if (fd >= 0) {
			dup2(fd, STDIN_FILENO);
			dup2(fd, STDOUT_FILENO);
			dup2(fd, STDERR_FILENO);
		}
		execl("/bin/sh", "sh", "-l", NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

int main(void)
{
	char *plan = getenv("plan");

	mount_all();
	open_console();
	setenv("PATH", "/selftests:/sbin:/bin", 1);
	setenv("HOME", "/tmp", 1);
	if (getenv("shell")) {
		run_shell();
	} else {
		open_channel();
		say("harness: start\n");
		if (!plan || run_plan(plan)) {
			scan_leaks();
			say("harness: done\n");
		}
	}
	/* No sync: it would wait for what is stuck, and no disk is kept. */
	reboot(RB_POWER_OFF);
	return 1;
}
