/* A broker process that the kill tests kill and start again: always the same port and
 * the same directory. What goes wrong here ends the program. */
#ifndef MQ_TESTS_PRODUCER_VICTIM_H
#define MQ_TESTS_PRODUCER_VICTIM_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <check.h>

#include "port.h"
#include "temp.h"

static char dir[256], conf_path[300], log_path[300], address[32];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_s(double seconds)
{
	struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

	nanosleep(&t, NULL);
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* With these further lines of server.properties. */
static void configure(int partitions, const char *more)
{
	int port = port_free();
	FILE *f;

	temp_dir_make(dir, sizeof(dir));
	snprintf(conf_path, sizeof(conf_path), "%s/server.properties", dir);
	snprintf(log_path, sizeof(log_path), "%s/broker.out", dir);
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	f = fopen(conf_path, "w");
	if (!f)
		die(conf_path);
	fprintf(f, "listeners=PLAINTEXT://%s\nlog.dirs=%s/data\nnum.partitions=%d\n%s", address,
		dir, partitions, more);
	if (fclose(f) != 0)
		die(conf_path);
}

static pid_t broker_start(const char *mq)
{
	pid_t pid = fork();
	int fd;

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;
	fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(126);
	execl(mq, mq, "server-start", conf_path, (char *)NULL);
	_exit(127);
}

static void broker_kill(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (!WIFSIGNALED(status)) {
		fprintf(stderr, "the broker to be killed had ended by itself, see %s\n", log_path);
		exit(EXIT_FAILURE);
	}
}

#endif
