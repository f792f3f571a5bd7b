/*
 * mq server-start: runs a broker until it is told to stop. The configuration
 * is that of kafka-server-start.sh; without a file the broker keeps its data
 * in ./mq-data and listens on 127.0.0.1:9092.
 */
#include "mq.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <mq/broker.h>

#define COMMAND "server-start"

/* How long requests in progress may take once the broker is told to stop. */
#define STOP_MS 30000

/* Where a daemon's lines go, in the directory it was started in. */
#define DAEMON_LOG "mq-server.log"

static void log_line(void *arg, mq_level level, const char *line)
{
	static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
	struct timespec now;
	struct tm tm;
	char text[32];

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(stderr, "%s.%03dZ %-5s %s\n", text, (int)(now.tv_nsec / 1000000), names[level],
		line);
}

/* --- the configuration --------------------------------------------------------- */

static mq_err apply_override(mq_conf *conf, const char *pair, mq_error *error)
{
	const char *equals = strchr(pair, '=');
	char *key;
	mq_err err;

	if (!equals || equals == pair) {
		error->code = MQ_E_CONFIG;
		snprintf(error->text, sizeof(error->text),
			 "--override wants KEY=VALUE, not \"%.200s\"", pair);
		return MQ_E_CONFIG;
	}
	key = strndup(pair, (size_t)(equals - pair));
	if (!key) {
		error->code = MQ_E_NOMEM;
		snprintf(error->text, sizeof(error->text), "out of memory");
		return MQ_E_NOMEM;
	}
	err = mq_conf_set(conf, key, equals + 1, error);
	free(key);
	return err;
}

static mq_err fill_conf(mq_conf *conf, const struct opt_list *files,
			const struct opt_list *overrides, mq_error *error)
{
	mq_err err = MQ_OK;

	if (files->n > 0) {
		err = mq_conf_load(conf, files->items[0], error);
	} else {
		err = mq_conf_set(conf, "listeners", "PLAINTEXT://127.0.0.1:9092", error);
		if (!err)
			err = mq_conf_set(conf, "log.dirs", "mq-data", error);
	}
	for (int i = 0; i < overrides->n && !err; i++)
		err = apply_override(conf, overrides->items[i], error);
	return err;
}

/* What another try cannot mend ends with a status of its own: a service manager
 * starts the broker again after others. */
static int fail_start(const mq_error *error)
{
	int code = fail_error(COMMAND, error);

	return error->code == MQ_E_CONFIG || error->code == MQ_E_ARG ? EXIT_USAGE : code;
}

/* --- signals -------------------------------------------------------------------- */

/* The second signal: the logs are recovered at the next start. */
static void quit_now(int sig)
{
	static const char text[] = "mq server-start: stopping at once\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EXIT_FAILED);
	_exit(128 + sig);
}

static void block_signals(sigset_t *set)
{
	struct sigaction hup;

	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	/* The terminal is closed: no reason for an unclean stop. Under nohup it is ignored. */
	sigaction(SIGHUP, NULL, &hup);
	if (hup.sa_handler != SIG_IGN)
		sigaddset(set, SIGHUP);
	sigprocmask(SIG_BLOCK, set, NULL);
	/* Whoever read the lines on stderr may be gone. */
	signal(SIGPIPE, SIG_IGN);
}

static void serve_until_told(const sigset_t *set)
{
	struct sigaction quick = {.sa_handler = quit_now};
	int sig = 0;

	while (sigwait(set, &sig) != 0)
		;
	fprintf(stderr, "mq server-start: %s, stopping\n", strsignal(sig));
	sigaction(SIGTERM, &quick, NULL);
	sigaction(SIGINT, &quick, NULL);
	signal(SIGHUP, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, set, NULL);
}

/* --- the service manager ---------------------------------------------------------- */

/* Tells systemd how far it is, where it has asked: sd_notify(3). A name that begins
 * with "@" is one of the abstract space, which has a zero there. */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	n += offsetof(struct sockaddr_un, sun_path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
			     (socklen_t)n) < 0)
		fprintf(stderr, "mq server-start: cannot tell %s that it is %s: %s\n", path, state,
			strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* --- the daemon ------------------------------------------------------------------ */

/* In the child: a pipe to write a byte to when the broker is ready. In the
 * parent: does not return before that, or the child's end. */
static int become_daemon(int *code)
{
	int fds[2], log, status = 0;
	pid_t child;
	char byte;

	if (pipe(fds) != 0 || (child = fork()) < 0) {
		*code = fail(COMMAND, "cannot start in the background: %s", strerror(errno));
		return -1;
	}
	if (child > 0) {
		close(fds[1]);
		if (read(fds[0], &byte, 1) == 1) {
			*code = EXIT_OK;
		} else {
			waitpid(child, &status, 0);
			*code = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status)
									 : EXIT_FAILED;
			fail(COMMAND, "the broker did not start; see %s", DAEMON_LOG);
		}
		return -1;
	}
	close(fds[0]);
	setsid();
	signal(SIGHUP, SIG_IGN);
	log = open(DAEMON_LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log < 0 || dup2(log, STDERR_FILENO) < 0) {
		fail(COMMAND, "cannot write %s: %s", DAEMON_LOG, strerror(errno));
		_exit(EXIT_FAILED);
	}
	dup2(STDERR_FILENO, STDOUT_FILENO);
	log = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(log, STDIN_FILENO);
	return fds[1];
}

/* --- running ---------------------------------------------------------------------- */

static void tell_ready(const mq_broker *broker, int ready_fd)
{
	mq_broker_endpoint at;

	if (mq_broker_endpoint_count(broker) == 0)
		fprintf(stderr, "mq server-start: ready, without a listener\n");
	for (int i = 0; mq_broker_endpoint_get(broker, i, &at) == MQ_OK; i++) {
		bool v6 = strchr(at.host, ':') != NULL;

		fprintf(stderr, "mq server-start: ready on %s://%s%s%s:%d\n", at.listener,
			v6 ? "[" : "", at.host, v6 ? "]" : "", at.port);
	}
	if (ready_fd >= 0) {
		if (write(ready_fd, "", 1) < 0)
			fprintf(stderr, "mq server-start: who started it is gone\n");
		close(ready_fd);
	}
}

static int run(const mq_conf *conf, int ready_fd)
{
	mq_broker *broker;
	mq_error error;
	sigset_t set;
	int code = EXIT_OK;

	block_signals(&set);
	broker = mq_broker_start(conf, &error);
	if (!broker)
		return fail_start(&error);
	tell_ready(broker, ready_fd);
	notify("READY=1");
#ifdef __GLIBC__
	malloc_trim(0); /* what only the start needed goes back to the system */
#endif
	serve_until_told(&set);
	notify("STOPPING=1");
	if (mq_broker_stop(broker, STOP_MS, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	mq_broker_free(broker);
	fprintf(stderr, "mq server-start: stopped\n");
	return code;
}

int cmd_server_start(int argc, char **argv)
{
	struct opt_list files = {0}, overrides = {0};
	static char daemon_option[] = "--daemon";
	bool background = false;
	const struct opt opts[] = {
	    {"daemon", OPT_FLAG, &background, NULL,
	     "run in the background; lines go to " DAEMON_LOG},
	    {"override", OPT_LIST, &overrides, "KEY=VALUE",
	     "set a key, whatever the file says; may be repeated"},
	    {NULL},
	};
	const struct opt_set set = {
	    .command = COMMAND,
	    .synopsis = "[-daemon] [server.properties] [--override KEY=VALUE]...",
	    .about = "Runs a broker until it gets SIGTERM, SIGINT or SIGHUP. Without a file it "
		     "keeps its "
		     "data in ./mq-data and listens on 127.0.0.1:9092.",
	    .example = "  mq server-start\n"
		       "  mq server-start server.properties --override broker.id=1",
	    .opts = opts,
	    .rest = &files,
	};
	mq_error error = {0};
	mq_conf *conf = NULL;
	int code, ready_fd = -1;

	/* Kafka's script spells it with one dash. */
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "-daemon") == 0)
			argv[i] = daemon_option;
	code = opt_parse(&set, argc, argv);
	if (code >= 0)
		goto out;
	if (files.n > 1) {
		code = opt_mistake(&set, "one file is enough");
		goto out;
	}
	conf = mq_conf_new(MQ_ROLE_BROKER);
	if (!conf) {
		code = fail(COMMAND, "out of memory");
		goto out;
	}
	mq_conf_set_logger(conf, MQ_LEVEL_INFO, log_line, NULL);
	if (fill_conf(conf, &files, &overrides, &error) != MQ_OK) {
		code = fail_start(&error);
		goto out;
	}
	if (background) {
		ready_fd = become_daemon(&code);
		if (ready_fd < 0)
			goto out;
	}
	code = run(conf, ready_fd);
out:
	mq_conf_free(conf);
	opt_list_free(&files);
	opt_list_free(&overrides);
	return code;
}
