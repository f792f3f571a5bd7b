/* <mq/broker.h>: checks arguments and the process, and hands on to the shell. */
#include "config.h"

#include <mq/broker.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/err.h"
#include "server/shell.h"

/* How long mq_broker_free() lets requests end by themselves. */
#define FREE_STOP_MS 5000

struct mq_broker {
	struct mq_shell *shell;
	pid_t pid;
	bool stopped;
};

static bool is_foreign(const mq_broker *broker)
{
	return broker->pid != getpid();
}

mq_broker *mq_broker_start(const mq_conf *conf, mq_error *error)
{
	mq_broker *broker = NULL;
	mq_conf *own = NULL;

	if (conf && mq_conf_role(conf) != MQ_ROLE_BROKER) {
		mq_fail(error, MQ_E_ARG, "the configuration is not for a broker");
		return NULL;
	}
	broker = calloc(1, sizeof(*broker));
	if (!conf)
		conf = own = mq_conf_new(MQ_ROLE_BROKER);
	if (!broker || !conf) {
		mq_fail(error, MQ_E_NOMEM, "out of memory for the broker");
		free(broker);
		broker = NULL;
	} else {
		broker->pid = getpid();
		if (mq_shell_start(conf, &broker->shell, error) != MQ_OK) {
			free(broker);
			broker = NULL;
		}
	}
	mq_conf_free(own);
	return broker;
}

static int64_t deadline(struct mq_env *env, int timeout_ms)
{
	return mq_env_now_us(env) + (int64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000;
}

mq_err mq_broker_stop(mq_broker *broker, int timeout_ms, mq_error *error)
{
	mq_err err;

	if (!broker)
		return mq_fail(error, MQ_E_ARG, "broker must not be NULL");
	if (is_foreign(broker))
		return mq_fail(error, MQ_E_FORKED, "the broker was started by the parent process");
	if (broker->stopped)
		return MQ_OK;
	err =
	    mq_shell_stop(broker->shell, deadline(mq_shell_env(broker->shell), timeout_ms), error);
	broker->stopped = !err;
	return err;
}

void mq_broker_free(mq_broker *broker)
{
	if (!broker || is_foreign(broker))
		return;
	/* The second time there is no deadline left: what the disk still has to
	 * answer borrows the broker's memory. */
	if (mq_broker_stop(broker, FREE_STOP_MS, NULL) != MQ_OK)
		(void)mq_shell_stop(broker->shell, INT64_MAX, NULL);
	mq_shell_free(broker->shell);
	free(broker);
}

int mq_broker_endpoint_count(const mq_broker *broker)
{
	const struct mq_endpoint *endpoints;

	return broker ? mq_server_endpoints(mq_shell_server(broker->shell), &endpoints) : 0;
}

mq_err mq_broker_endpoint_get(const mq_broker *broker, int i, mq_broker_endpoint *endpoint)
{
	const struct mq_endpoint *endpoints;
	const char *name, *host;
	uint16_t port;

	if (!endpoint)
		return MQ_E_ARG;
	if (i < 0 || i >= mq_broker_endpoint_count(broker))
		return MQ_E_NOT_FOUND;
	mq_server_endpoints(mq_shell_server(broker->shell), &endpoints);
	name = mq_server_listener(mq_shell_server(broker->shell), i, &host, &port);
	*endpoint = (mq_broker_endpoint){.listener = name,
					 .host = host,
					 .port = port,
					 .advertised_host = endpoints[i].host,
					 .advertised_port = endpoints[i].port};
	return MQ_OK;
}

int mq_broker_port(const mq_broker *broker, const char *listener)
{
	mq_broker_endpoint endpoint;

	for (int i = 0; mq_broker_endpoint_get(broker, i, &endpoint) == MQ_OK; i++)
		if (!listener || strcmp(endpoint.listener, listener) == 0)
			return endpoint.port;
	return -1;
}
