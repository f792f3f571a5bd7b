/*
 * The shell around a broker core.
 *
 * The core's clock: it says when it next wants to be called, on any thread;
 * the first loop's timer is armed for the earliest such time, and for nothing
 * when there is none.
 */
#include "config.h"

#include "server/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "broker/core.h"
#include "env/thread.h"
#include "server/endpoint.h"

/* What is kept back of a deadline for cutting off what has not ended. */
#define CUT_OFF_US 500000

/* Where the data goes when no file and no key says so. */
#define DEFAULT_LOG_DIR "mq-data"

struct mq_shell {
	mq_conf *conf;
	struct mq_env *env;
	struct mq_server *server;
	struct mq_core *core;
	struct mq_inproc *inproc;
	bool started;

	struct mq_timer timer;
	struct mq_post rearm;
	struct mq_mutex lock; /* guards due_us */
	int64_t due_us;
};

/* --- the core's clock --------------------------------------------------------- */

static void arm(struct mq_shell *shell)
{
	int64_t due;

	mq_mutex_lock(&shell->lock);
	due = shell->due_us;
	mq_mutex_unlock(&shell->lock);
	mq_timer_arm(&shell->timer, due);
}

static void on_rearm(struct mq_post *post)
{
	arm(mq_container_of(post, struct mq_shell, rearm));
}

/* The core wants to be called earlier than it said; any thread. */
static void rearm(void *arg, int64_t due_us)
{
	struct mq_shell *shell = arg;
	bool earlier;

	mq_mutex_lock(&shell->lock);
	earlier = due_us < shell->due_us;
	if (earlier)
		shell->due_us = due_us;
	mq_mutex_unlock(&shell->lock);
	if (earlier)
		mq_loop_post(mq_server_loop(shell->server), &shell->rearm);
}

static void on_timer(void *arg)
{
	struct mq_shell *shell = arg;
	int64_t next;

	mq_mutex_lock(&shell->lock);
	shell->due_us = INT64_MAX;
	mq_mutex_unlock(&shell->lock);
	next = mq_core_tick(shell->core, mq_env_now_us(shell->env));
	mq_mutex_lock(&shell->lock);
	shell->due_us = MQ_MIN(shell->due_us, next);
	mq_mutex_unlock(&shell->lock);
	arm(shell);
}

/* --- the configuration ----------------------------------------------------------- */

/* Without a file the defaults are those of an embedded broker. */
static mq_err adapt_conf(mq_conf *conf, mq_error *error)
{
	const char *zookeeper = mq_conf_str(conf, "zookeeper.connect");
	mq_err err = MQ_OK;

	if (zookeeper && *zookeeper)
		return mq_fail(error, MQ_E_UNSUPPORTED,
			       "zookeeper.connect is set, but this version runs brokers alone, not "
			       "in clusters; remove the key to start one");
	if (mq_conf_from_file(conf))
		return MQ_OK;
	if (!mq_conf_is_set(conf, "listeners"))
		err = mq_conf_set(conf, "listeners", "", error);
	if (!err && !mq_conf_is_set(conf, "log.dirs") && !mq_conf_is_set(conf, "log.dir"))
		err = mq_conf_set(conf, "log.dirs", DEFAULT_LOG_DIR, error);
	if (!err && !mq_conf_is_set(conf, "group.initial.rebalance.delay.ms"))
		err = mq_conf_set(conf, "group.initial.rebalance.delay.ms", "0", error);
	return err;
}

/* Who uses a log directory, for `mq server-stop`: the lock itself is the
 * file's, its contents are only for reading. */
static void write_pid(struct mq_shell *shell)
{
	const char *dirs = mq_conf_str(shell->conf, "log.dirs");
	const char *at = dirs ? dirs : mq_conf_str(shell->conf, "log.dir");
	char path[4096], pid[24];
	int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	mq_bytes dir;

	while (mq_conf_list_next(&at, &dir)) {
		struct mq_file *file;

		if (dir.size > sizeof(path) - sizeof("/.lock"))
			continue;
		snprintf(path, sizeof(path), "%.*s/.lock", (int)dir.size, (const char *)dir.data);
		if (mq_env_open(shell->env, path, MQ_OPEN_WRITE, &file) < 0)
			continue;
		/* Nobody but a person's convenience depends on it. */
		if (mq_env_truncate(shell->env, file, 0) == 0)
			(void)mq_env_pwrite(shell->env, file, pid, (size_t)n, 0);
		mq_env_close(shell->env, file);
	}
}

/* --- starting ------------------------------------------------------------------------ */

static mq_err set_endpoints(struct mq_shell *shell, mq_error *error)
{
	struct mq_endpoint all[MQ_LISTENERS_MAX + 1];
	const char *name = mq_conf_str(shell->conf, "mq.inproc.name");
	const struct mq_endpoint *endpoints;
	int n = mq_server_endpoints(shell->server, &endpoints);

	memcpy(all, endpoints, (size_t)n * sizeof(all[0]));
	/* A client in process stays there, whatever address it is told. */
	all[n] = (struct mq_endpoint){"inproc", name ? name : "inproc", 0};
	if (mq_core_set_endpoints(shell->core, all, n + 1) != MQ_OK)
		return mq_fail(error, MQ_E_NOMEM, "out of memory for the broker");
	return MQ_OK;
}

static bool core_range(const void *core, int16_t api_key, int16_t *min, int16_t *max)
{
	return mq_core_api_range(core, api_key, min, max);
}

static mq_err open_parts(struct mq_shell *shell, mq_error *error)
{
	const struct mq_logger *logger = mq_conf_logger(shell->conf);
	struct mq_server_args server = {.env = shell->env, .logger = logger, .conf = shell->conf};
	struct mq_core_args core = {.env = shell->env,
				    .logger = logger,
				    .conf = shell->conf,
				    .rearm = rearm,
				    .rearm_arg = shell};
	mq_err err;

	server.listeners = mq_conf_str(shell->conf, "listeners");
	err = mq_server_open(&server, &shell->server, error);
	if (err)
		return err;
	if (!mq_timer_init(&shell->timer, mq_server_loop(shell->server), on_timer, shell))
		return mq_fail(error, MQ_E_NOMEM, "out of memory for the broker");
	err = mq_core_open(&shell->core, &core, error);
	if (err)
		return err;
	write_pid(shell);
	return set_endpoints(shell, error);
}

static mq_err start_parts(struct mq_shell *shell, mq_error *error)
{
	const char *name = mq_conf_str(shell->conf, "mq.inproc.name");
	struct mq_server_api api = {mq_core_service(shell->core), core_range, shell->core};
	mq_err err;

	err = mq_inproc_register(name && *name ? name : NULL, api.service, &shell->inproc, error);
	if (err)
		return err;
	shell->started = true;
	return mq_server_start(shell->server, &api, error);
}

mq_err mq_shell_start(const mq_conf *conf, struct mq_shell **out, mq_error *error)
{
	struct mq_shell *shell = calloc(1, sizeof(*shell));
	mq_err err;

	if (!shell)
		return mq_fail(error, MQ_E_NOMEM, "out of memory for the broker");
	mq_mutex_init(&shell->lock);
	mq_post_init(&shell->rearm, on_rearm);
	shell->due_us = INT64_MAX;
	shell->conf = mq_conf_dup(conf);
	if (!shell->conf)
		err = mq_fail(error, MQ_E_NOMEM, "out of memory for the broker");
	else
		err = adapt_conf(shell->conf, error);
	if (!err) {
		mq_conf_say_known(conf); /* what was set, not what was added */
		shell->env =
		    mq_env_system_new((unsigned)mq_conf_int(shell->conf, "num.io.threads"));
		if (!shell->env)
			err = mq_fail(error, MQ_E_NOMEM, "out of memory for the broker");
	}
	if (!err)
		err = open_parts(shell, error);
	if (!err)
		err = start_parts(shell, error);
	if (err) {
		(void)mq_shell_stop(shell, INT64_MAX, NULL);
		mq_shell_free(shell);
		return err;
	}
	*out = shell;
	return MQ_OK;
}

/* --- stopping ------------------------------------------------------------------------- */

mq_err mq_shell_stop(struct mq_shell *shell, int64_t deadline_us, mq_error *error)
{
	int64_t cut_off = deadline_us == INT64_MAX ? INT64_MAX : deadline_us - CUT_OFF_US;

	if (shell->inproc && !mq_inproc_close(shell->inproc, deadline_us))
		return mq_fail(error, MQ_E_TIMED_OUT,
			       "calls of this process have not returned from the broker");
	if (!shell->started)
		return MQ_OK;
	mq_server_drain(shell->server);
	mq_core_stop(shell->core);
	if (mq_server_wait(shell->server, cut_off))
		return MQ_OK;
	mq_server_kill(shell->server);
	if (mq_server_wait(shell->server, deadline_us))
		return MQ_OK;
	return mq_fail(error, MQ_E_TIMED_OUT,
		       "%d connections still wait for requests that do not end",
		       mq_server_n_connections(shell->server));
}

void mq_shell_free(struct mq_shell *shell)
{
	if (!shell)
		return;
	/* The loops end first, for the core's clock runs on one of them. */
	if (shell->server)
		mq_server_halt(shell->server);
	if (shell->inproc)
		mq_inproc_unregister(shell->inproc);
	mq_core_close(shell->core);
	mq_timer_deinit(&shell->timer);
	mq_server_close(shell->server);
	if (shell->env)
		mq_env_system_free(shell->env);
	mq_mutex_deinit(&shell->lock);
	mq_conf_free(shell->conf);
	free(shell);
}

struct mq_server *mq_shell_server(struct mq_shell *shell)
{
	return shell->server;
}

struct mq_env *mq_shell_env(struct mq_shell *shell)
{
	return shell->env;
}
