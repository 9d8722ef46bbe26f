// SPDX-License-Identifier: GPL-2.0
/*
 * 9p-killed TAG CONTROL DIRECTORY [TEST]: readers of a 9P file that are killed
 * while the server holds its I/O, and what is copied to and from the server. The
 * server holds reads while there is a file "hold" in CONTROL, and has a file
 * "reading" there as long as one waits. TAG is mounted on DIRECTORY. Exits with
 * 0 if all is well.
 *
 * A killed task asks the server to forget its request, and waits for that. It
 * gives up if it is killed a second time: by an execve() of another thread
 * first, and by SIGKILL then. Whatever the server writes afterwards must not hit
 * memory that has a new owner.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MOUNT_OPTIONS	"trans=virtio,version=9p2000.L,msize=262144"
#define READ_SIZE	(240 << 10)	/* a request of 62 of 128 descriptors */
#define READERS		4
#define OWN_SIZE	(64 << 20)
#define OWN_BYTE	0x5a
#define FILE_BYTE	0xa5
#define NR_NAMES	600
#define ATTRIBUTE	"user.large"
#define ATTRIBUTE_SIZE	3000
#define WAIT_MS		20000
#define QUIET_MS	500

static const char *tag, *control, *directory;
static bool failed;

static bool expect(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "9p-killed: %s (%s)\n", what, strerror(errno));
		failed = true;
	}
	return good;
}

static void sleep_ms(int ms)
{
	usleep(ms * 1000);
}

static char *path_in(const char *dir, const char *name)
{
	static char path[2][256];
	static int next;

	next = !next;
	snprintf(path[next], sizeof(path[next]), "%s/%s", dir, name);
	return path[next];
}

static void hold(void)
{
	close(open(path_in(control, "hold"), O_WRONLY | O_CREAT, 0600));
}

static void let_go(void)
{
	unlink(path_in(control, "hold"));
}

static bool is_reading(void)
{
	return !access(path_in(control, "reading"), F_OK);
}

static bool wait_reading(bool reading)
{
	int ms;

	for (ms = 0; is_reading() != reading && ms < WAIT_MS; ms += 10)
		sleep_ms(10);
	return expect(is_reading() == reading, "the server does not hold I/O");
}

static bool mount_it(void)
{
	return expect(!mount(tag, directory, "9p", 0, MOUNT_OPTIONS), "mount");
}

static int open_file(void)
{
	int fd = open(path_in(directory, "killed"), O_RDONLY);

	expect(fd >= 0, "open");
	return fd;
}

static void make_file(void)
{
	char *data = malloc(READ_SIZE);
	int fd = open(path_in(directory, "killed"), O_WRONLY | O_CREAT, 0600);

	memset(data, FILE_BYTE, READ_SIZE);
	expect(write(fd, data, READ_SIZE) == READ_SIZE, "write");
	close(fd);
	free(data);
}

static void *memory(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		exit(1);
	madvise(map, size, MADV_NOHUGEPAGE);
	return map;
}

static bool all_is(const unsigned char *data, size_t size, unsigned char byte)
{
	return data[0] == byte && !memcmp(data, data + 1, size - 1);
}

static int read_all(void)
{
	unsigned char *data = memory(READ_SIZE);
	int fd = open_file();
	bool good;

	good = read(fd, data, READ_SIZE) == READ_SIZE &&
	       all_is(data, READ_SIZE, FILE_BYTE);
	close(fd);
	munmap(data, READ_SIZE);
	return !good;
}

/* The letter of a task's state, and whether SIGKILL is pending for it alone */
static char task_state(pid_t pid, pid_t tid, bool *killed)
{
	unsigned long long pending = 0;
	char path[64], line[128], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "State: %c", &state);
		sscanf(line, "SigPnd: %llx", &pending);
	}
	if (file)
		fclose(file);
	*killed = pending & (1ULL << (SIGKILL - 1));
	return state;
}

/* Asleep where only a signal that kills, or the server, wakes it */
static bool wait_asleep(pid_t pid, pid_t tid, bool after_kill)
{
	bool killed;
	int ms, times = 0;

	for (ms = 0; times < 5 && ms < WAIT_MS; ms += 20) {
		sleep_ms(20);
		if (task_state(pid, tid, &killed) == 'D' &&
		    killed == after_kill)
			times++;
		else
			times = 0;
	}
	return expect(times == 5, "a reader does not wait");
}

static bool dies(pid_t pid)
{
	int ms, status;

	for (ms = 0; ms < WAIT_MS; ms += 10) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return true;
		sleep_ms(10);
	}
	return false;
}

/* Those for whose requests the ring has no room die at once. */
static void test_ring_full(void)
{
	pid_t pids[READERS];
	int i, status;

	hold();
	for (i = 0; i < READERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(read_all());
		if (!wait_asleep(pids[i], pids[i], false))
			break;
	}
	for (i = READERS / 2; i < READERS; i++) {
		kill(pids[i], SIGKILL);
		expect(dies(pids[i]), "killed with the ring full: goes on");
	}
	let_go();
	for (i = 0; i < READERS / 2; i++)
		expect(waitpid(pids[i], &status, 0) == pids[i] && !status,
		       "wrong data with the ring full");
	expect(!read_all(), "wrong data after the ring was full");
}

/*
 * QEMU gives a read that is to be forgotten back without a reply, if it would
 * have to go on reading: at the end of the file.
 */
enum how { INTO_USER, ACROSS_END, INTO_KERNEL };

struct reader {
	enum how how;
	int fd;
	void *data;
	pid_t tid;	/* in memory that the parent shares */
};

/* A module is read into memory of the kernel's. This one is none. */
static void *reader_thread(void *arg)
{
	struct reader *reader = arg;

	reader->tid = syscall(SYS_gettid);
	if (reader->how == INTO_KERNEL)
		syscall(SYS_finit_module, reader->fd, "", 0);
	else
		pread(reader->fd, reader->data, READ_SIZE,
		      reader->how == ACROSS_END ? READ_SIZE / 2 : 0);
	return NULL;
}

static void run_reader(struct reader *reader)
{
	char *argv[] = { "9p-killed", NULL };
	pthread_t thread;

	reader->data = memory(READ_SIZE);
	memset(reader->data, 1, READ_SIZE);
	reader->fd = open_file();
	pthread_create(&thread, NULL, reader_thread, reader);
	if (wait_reading(true))
		execv("/proc/self/exe", argv);
	_exit(1);
}

/* Returns with the reader dead, and the server still at its request. */
static bool give_up(enum how how)
{
	struct reader *reader = mmap(NULL, sizeof(*reader),
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool good;
	pid_t pid;

	reader->how = how;
	hold();
	pid = fork();
	if (!pid)
		run_reader(reader);
	good = wait_reading(true) && wait_asleep(pid, reader->tid, true);
	kill(pid, SIGKILL);
	good = expect(dies(pid), "killed twice: goes on") && good;
	munmap(reader, sizeof(*reader));
	return good;
}

static long vmstat(const char *name)
{
	FILE *file = fopen("/proc/vmstat", "r");
	long value, found = -1;
	char is[64];

	while (file && fscanf(file, "%63s %ld", is, &value) == 2)
		if (!strcmp(is, name))
			found = value;
	if (file)
		fclose(file);
	return found;
}

static long pins(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	write(fd, "1", 1);
	close(fd);
	return vmstat("nr_foll_pin_acquired") - vmstat("nr_foll_pin_released");
}

static bool wait_pins(long balance)
{
	int ms;

	for (ms = 0; pins() != balance && ms < WAIT_MS; ms += 10)
		sleep_ms(10);
	return expect(pins() == balance, "pins that stay");
}

/* What the dead reader had is the first that its processor gives out. */
static void test_given_up(enum how how, const char *what)
{
	unsigned char *own = memory(OWN_SIZE);
	long before = pins();

	if (give_up(how))
		memset(own, OWN_BYTE, OWN_SIZE);
	let_go();
	wait_reading(false);
	sleep_ms(QUIET_MS);
	expect(all_is(own, OWN_SIZE, OWN_BYTE), what);
	wait_pins(before);
	munmap(own, OWN_SIZE);
}

/* Not ahead of the server's answer */
static void test_unmount(void)
{
	int status = -1;
	pid_t pid;

	give_up(INTO_USER);
	pid = fork();
	if (!pid)
		_exit(umount(directory) ? errno : 0);
	sleep_ms(QUIET_MS);
	expect(!waitpid(pid, &status, WNOHANG),
	       "unmounted while the server has a request");
	let_go();
	waitpid(pid, &status, 0);
	expect(!status, "not unmounted");
}

static void name_of(char *name, size_t size, int nr)
{
	snprintf(name, size, "names/%0100d", nr);
}

/* Of more bytes than a reply has */
static void test_directory(void)
{
	bool seen[NR_NAMES] = { false };
	struct dirent *entry;
	char name[128];
	int i, nr = 0;
	DIR *list;

	mkdir(path_in(directory, "names"), 0700);
	for (i = 0; i < NR_NAMES; i++) {
		name_of(name, sizeof(name), i);
		close(open(path_in(directory, name), O_WRONLY | O_CREAT, 0600));
	}
	list = opendir(path_in(directory, "names"));
	while (list && (entry = readdir(list))) {
		if (entry->d_name[0] == '.')
			continue;
		i = atoi(entry->d_name + 90);
		if (i < NR_NAMES && !seen[i] && strlen(entry->d_name) == 100)
			nr++;
		seen[i] = true;
	}
	closedir(list);
	expect(nr == NR_NAMES, "names are missing");
	for (i = 0; i < NR_NAMES; i++) {
		name_of(name, sizeof(name), i);
		unlink(path_in(directory, name));
	}
	rmdir(path_in(directory, "names"));
}

static void test_attribute(void)
{
	char set[ATTRIBUTE_SIZE], got[ATTRIBUTE_SIZE + 1];
	char *path = path_in(directory, "killed");

	memset(set, FILE_BYTE, sizeof(set));
	expect(!setxattr(path, ATTRIBUTE, set, sizeof(set), 0), "setxattr");
	expect(getxattr(path, ATTRIBUTE, got, sizeof(got)) == sizeof(set) &&
	       !memcmp(set, got, sizeof(set)), "wrong extended attribute");
}

static void test_user(void)
{
	test_given_up(INTO_USER, "other memory changed, user");
}

static void test_end(void)
{
	test_given_up(ACROSS_END, "other memory changed, end");
}

static void test_kernel(void)
{
	test_given_up(INTO_KERNEL, "other memory changed, kernel");
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "directory", test_directory },
	{ "attribute", test_attribute },
	{ "ring-full", test_ring_full },
	{ "user", test_user },
	{ "end", test_end },
	{ "kernel", test_kernel },
	{ "unmount", test_unmount },	/* the last one */
};

int main(int argc, char **argv)
{
	cpu_set_t one;
	size_t i;

	if (argc != 4 && argc != 5) {
		fprintf(stderr,
			"usage: 9p-killed TAG CONTROL DIRECTORY [TEST]\n");
		return 2;
	}
	tag = argv[1];
	control = argv[2];
	directory = argv[3];
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (!mount_it())
		return 1;
	make_file();
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!failed && (argc == 4 || !strcmp(argv[4], tests[i].name)))
			tests[i].run();
	umount(directory);
	return failed;
}
