/* What the benchmarks of clients and brokers have in common. */
#include "bench/bench.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BROKERS_MAX 2
#define SPIN_S      150e-6

void bench_die(const char *what, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	exit(1);
}

double bench_seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double bench_cpu_of(pid_t pid)
{
	char path[300];
	unsigned long long ns, sum = 0;
	struct dirent *entry;
	FILE *file;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		bench_die(path, strerror(errno));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", (int)pid,
			 entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fscanf(file, "%llu", &ns) == 1)
			sum += ns;
		fclose(file);
	}
	closedir(dir);
	return (double)sum * 1e-9;
}

void bench_wait_until(double at)
{
	const struct timespec nap = {0, 20000};
	double left;

	while ((left = at - bench_seconds(CLOCK_MONOTONIC)) > 0)
		if (left > SPIN_S)
			nanosleep(&nap, NULL);
}

void bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

void bench_in_child(void (*run)(void *arg, void *out), void *arg, void *out, size_t size)
{
	int ends[2], status;
	pid_t pid;

	fflush(NULL);
	if (pipe(ends) != 0 || (pid = fork()) < 0)
		bench_die("fork", strerror(errno));
	if (pid == 0) {
		run(arg, out);
		_exit(write(ends[1], out, size) == (ssize_t)size ? 0 : 1);
	}
	close(ends[1]);
	if (read(ends[0], out, size) != (ssize_t)size || waitpid(pid, &status, 0) != pid ||
	    status != 0)
		bench_die("a run", "failed");
	close(ends[0]);
}

/* --- figures --------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_quantile(double *values, int n, double share)
{
	qsort(values, (size_t)n, sizeof(*values), by_size);
	return values[(int)(share * n)];
}

void bench_print_spread(double *values, int n)
{
	printf(" %6.3f [%.3f..%.3f]", bench_quantile(values, n, 0.5),
	       bench_quantile(values, n, 0.25), bench_quantile(values, n, 0.75));
}

/* --- directories ------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void bench_dir_make(char *dir, size_t size)
{
	snprintf(dir, size, "bench-XXXXXX");
	if (!mkdtemp(dir))
		bench_die("mkdtemp", strerror(errno));
}

void bench_dir_remove(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- brokers ------------------------------------------------------------------------ */

static struct bench_broker started[BROKERS_MAX];
static int n_started;
static pid_t owner;

/* Not those of a child that gives up. */
static void stop_brokers(void)
{
	for (int i = 0; i < n_started && getpid() == owner; i++) {
		kill(started[i].pid, SIGTERM);
		waitpid(started[i].pid, NULL, 0);
		bench_dir_remove(started[i].dir);
	}
}

/* Reads its log until it says where it listens. */
static void await_ready(struct bench_broker *broker, int fd)
{
	FILE *log = fdopen(fd, "r");
	char line[1024], *at;

	while (log && fgets(line, sizeof(line), log)) {
		at = strstr(line, "127.0.0.1:");
		if (!strstr(line, "ready") || !at)
			continue;
		at[strspn(at, "0123456789.:")] = '\0';
		snprintf(broker->address, sizeof(broker->address), "%s", at);
		return; /* the log stays open: the broker writes on */
	}
	bench_die(broker->dir, "the broker did not start");
}

struct bench_broker *bench_broker_start(const char *mq)
{
	struct bench_broker *broker = &started[n_started];
	char path[128];
	int ends[2];
	FILE *conf;

	if (n_started == 0) {
		owner = getpid();
		atexit(stop_brokers);
	}
	bench_dir_make(broker->dir, sizeof(broker->dir));
	snprintf(path, sizeof(path), "%s/server.properties", broker->dir);
	conf = fopen(path, "w");
	if (!conf ||
	    fprintf(conf,
		    "broker.id=0\nlisteners=PLAINTEXT://127.0.0.1:0\n"
		    "log.dirs=%s/data\nlog.segment.delete.delay.ms=0\n",
		    broker->dir) < 0 ||
	    fclose(conf) != 0)
		bench_die(path, strerror(errno));
	fflush(NULL);
	if (pipe(ends) != 0 || (broker->pid = fork()) < 0)
		bench_die("fork", strerror(errno));
	if (broker->pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(mq, mq, "server-start", path, (char *)NULL);
		_exit(127);
	}
	n_started++;
	close(ends[1]);
	await_ready(broker, ends[0]);
	return broker;
}

void bench_topic_delete(const struct bench_broker *broker, const char *mq, const char *topic)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(mq, mq, "topics", "--bootstrap-server", broker->address, "--delete",
		      "--topic", topic, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}
