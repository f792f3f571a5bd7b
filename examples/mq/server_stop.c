/*
 * mq server-stop: stops the broker that uses a data directory, found by the
 * lock file in there, and waits for its end.
 */
#define _GNU_SOURCE /* syscall */
#include "mq.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COMMAND "server-stop"

static void on_alarm(int sig)
{
	(void)sig; /* it ends the wait */
}

/* The first directory of the list that a broker keeps its logs in. */
static int find_dir(const struct opt_list *files, const char *data_dir, char *dir, size_t size)
{
	mq_conf *conf;
	mq_error error;
	const char *dirs;
	int code = EXIT_OK;

	if (data_dir || files->n == 0) {
		snprintf(dir, size, "%s", data_dir ? data_dir : "mq-data");
		return EXIT_OK;
	}
	conf = mq_conf_new(MQ_ROLE_BROKER);
	if (!conf)
		return fail(COMMAND, "out of memory");
	if (mq_conf_load(conf, files->items[0], &error) != MQ_OK) {
		code = fail_error(COMMAND, &error);
	} else {
		dirs = mq_conf_get(conf, "log.dirs");
		if (!dirs || !*dirs)
			dirs = mq_conf_get(conf, "log.dir");
		dirs += strspn(dirs, " ");
		snprintf(dir, size, "%.*s", (int)strcspn(dirs, ", "), dirs);
	}
	mq_conf_free(conf);
	return code;
}

/* The process that holds the lock. 0: nobody does. -1: unknown. */
static long holder(int fd)
{
	char text[32];
	ssize_t n;
	long pid;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	pid = strtol(text, NULL, 10);
	return pid > 1 ? pid : -1;
}

/* Waits until the lock is free, that is, until the broker has ended, and then for
 * its process, which has a last line to say. process is -1 where the kernel does
 * not know of descriptors for processes (before Linux 5.3). */
static int wait_for_end(int fd, int process, const char *dir, long pid, int timeout_s)
{
	struct sigaction wake = {.sa_handler = on_alarm};
	struct pollfd ended = {process, POLLIN, 0};

	sigaction(SIGALRM, &wake, NULL);
	alarm((unsigned)timeout_s);
	if (flock(fd, LOCK_EX) == 0 && (process < 0 || poll(&ended, 1, -1) == 1))
		return EXIT_OK;
	if (errno == EINTR)
		return fail(COMMAND,
			    "process %ld, the broker of %s, still runs after %d s; stop it again "
			    "to end it at once",
			    pid, dir, timeout_s);
	return fail(COMMAND, "cannot wait for process %ld: %s", pid, strerror(errno));
}

static int stop(const char *dir, int timeout_s)
{
	char path[4096];
	int fd, process = -1, code;
	long pid;

	if (snprintf(path, sizeof(path), "%s/.lock", dir) >= (int)sizeof(path))
		return fail(COMMAND, "the path is too long: %s", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(COMMAND, "no broker has its data in %s: %s: %s", dir, path,
			    strerror(errno));
	pid = holder(fd);
	if (pid > 0)
		process = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0u);
	if (pid == 0)
		code = fail(COMMAND, "no broker runs on %s", dir);
	else if (pid < 0)
		code = fail(COMMAND, "%s is locked, but does not say by which process", path);
	else if (kill((pid_t)pid, SIGTERM) != 0)
		code = fail(COMMAND, "cannot signal process %ld: %s", pid, strerror(errno));
	else
		code = wait_for_end(fd, process, dir, pid, timeout_s);
	if (process >= 0)
		close(process);
	close(fd);
	return code;
}

int cmd_server_stop(int argc, char **argv)
{
	struct opt_list files = {0};
	const char *data_dir = NULL;
	int32_t timeout_s = 60;
	const struct opt opts[] = {
	    {"data-dir", OPT_STRING, &data_dir, "DIR", "the broker's log directory (./mq-data)"},
	    {"timeout", OPT_INT, &timeout_s, "SECONDS", "how long to wait for its end (60)"},
	    {NULL},
	};
	const struct opt_set set = {
	    .command = COMMAND,
	    .synopsis = "[server.properties | --data-dir DIR] [--timeout SECONDS]",
	    .about = "Stops the broker that uses a data directory, and waits until it has ended.",
	    .example = "  mq server-stop\n  mq server-stop server.properties",
	    .opts = opts,
	    .rest = &files,
	};
	char dir[4000];
	int code = opt_parse(&set, argc, argv);

	if (code < 0 && files.n > 1)
		code = opt_mistake(&set, "one file is enough");
	else if (code < 0 && (timeout_s < 1 || timeout_s > 86400))
		code = opt_mistake(&set, "--timeout wants 1 to 86400 seconds");
	if (code < 0)
		code = find_dir(&files, data_dir, dir, sizeof(dir));
	else
		goto out;
	if (code == EXIT_OK)
		code = stop(dir, timeout_s);
out:
	opt_list_free(&files);
	return code;
}
