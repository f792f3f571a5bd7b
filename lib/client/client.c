/* The client itself: its configuration, its beginning and its end. */
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/internal.h"
#include "net/tls.h"

static mq_err dial(void *arg, const struct mq_address *address, const struct mq_tcp_link_args *args,
		   struct mq_link **out, bool *up, mq_error *error)
{
	mq_err err;

	(void)arg;
	if (!address->inproc)
		return mq_tcp_link_open(args, out, error);
	*up = true;
	err = mq_inproc_link_open(address->host, out, error);
	/* Like a refused connection: it may be started yet, or again. */
	if (err == MQ_E_NOT_FOUND)
		err = mq_fail(error, MQ_E_CONNECT, "no broker of this name runs in this process");
	return err;
}

int64_t mq_client_now_us(const struct mq_client *client)
{
	return mq_env_now_us(client->env);
}

int32_t mq_client_request_timeout_ms(const struct mq_client *client)
{
	return client->timeouts.request_ms;
}

const struct mq_meta *mq_client_meta(const struct mq_client *client)
{
	return &client->meta;
}

int16_t mq_client_transaction_version(struct mq_client *client)
{
	const struct mq_node *latest = NULL;
	struct mq_list *it;

	mq_list_each (it, &client->nodes) {
		const struct mq_node *node = mq_list_entry(it, struct mq_node, list);

		if (node->state == MQ_NODE_UP &&
		    (!latest || node->features_epoch > latest->features_epoch))
			latest = node;
	}
	if (latest)
		client->transaction_version = latest->transaction_version;
	return client->transaction_version;
}

void mq_client_stale(struct mq_client *client)
{
	client->stale = true;
}

/* splitmix64: spreads choices and back-offs; nothing secret hangs on it. */
uint64_t mq_client_random(struct mq_client *client)
{
	uint64_t z = client->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

int64_t mq_client_backoff_us(struct mq_client *client, int32_t base_ms, int32_t max_ms,
			     uint32_t failures)
{
	int64_t us = (int64_t)base_ms * 1000, max_us = (int64_t)max_ms * 1000;

	while (failures-- > 0 && us < max_us)
		us *= 2;
	us = MQ_MIN(us, MQ_MAX(max_us, (int64_t)base_ms * 1000));
	return us * (int64_t)(800 + mq_client_random(client) % 401) / 1000;
}

static mq_err read_tls(struct mq_client *client, mq_error *error)
{
	const mq_conf *conf = client->conf;
	const char *protocol = mq_conf_str(conf, "security.protocol");
	struct mq_tls_conf tls = {0};
	const char *algorithm;

	if (strcmp(protocol, "PLAINTEXT") == 0)
		return MQ_OK;
	if (strcmp(protocol, "SSL") != 0)
		return mq_fail(error, MQ_E_CONFIG,
			       "security.protocol=%s is not supported; PLAINTEXT and SSL are",
			       protocol);
	algorithm = mq_conf_str(conf, "ssl.endpoint.identification.algorithm");
	tls.keystore_certificate_chain = mq_conf_str(conf, "ssl.keystore.certificate.chain");
	tls.keystore_key = mq_conf_str(conf, "ssl.keystore.key");
	tls.keystore_location = mq_conf_str(conf, "ssl.keystore.location");
	tls.key_password = mq_conf_str(conf, "ssl.key.password");
	tls.truststore_certificates = mq_conf_str(conf, "ssl.truststore.certificates");
	tls.truststore_location = mq_conf_str(conf, "ssl.truststore.location");
	tls.verify_host = algorithm && *algorithm;
	tls.enabled_protocols = mq_conf_str(conf, "ssl.enabled.protocols");
	tls.cipher_suites = mq_conf_str(conf, "ssl.cipher.suites");
	return mq_tls_ctx_new(&tls, &client->tls, error);
}

static void read_conf(struct mq_client *client)
{
	const mq_conf *conf = client->conf;
	struct mq_client_timeouts *t = &client->timeouts;

	t->request_ms = mq_conf_int(conf, "request.timeout.ms");
	t->setup_ms = (int32_t)mq_conf_long(conf, "socket.connection.setup.timeout.ms");
	t->reconnect_ms = (int32_t)mq_conf_long(conf, "reconnect.backoff.ms");
	t->reconnect_max_ms = (int32_t)mq_conf_long(conf, "reconnect.backoff.max.ms");
	t->retry_ms = (int32_t)mq_conf_long(conf, "retry.backoff.ms");
	t->retry_max_ms = (int32_t)mq_conf_long(conf, "retry.backoff.max.ms");
	t->metadata_age_us = mq_conf_long(conf, "metadata.max.age.ms") * 1000;
	t->metadata_idle_us = MQ_METADATA_IDLE_US;
	t->idle_us = mq_conf_long(conf, "connections.max.idle.ms");
	if (t->idle_us > 0)
		t->idle_us = MQ_MIN(t->idle_us, INT64_MAX / 4000) * 1000;
	client->client_id = mq_str(mq_conf_str(conf, "client.id"));
	if (client->client_id.size == 0)
		client->client_id = mq_str("libmq");
	client->send_buffer = mq_conf_int(conf, "send.buffer.bytes");
	client->receive_buffer = mq_conf_int(conf, "receive.buffer.bytes");
	client->frame_max = MQ_RESPONSE_SIZE_MAX;
}

static mq_err add_bootstrap(struct mq_client *client, mq_error *error)
{
	mq_err err = mq_addresses_parse(mq_conf_str(client->conf, "bootstrap.servers"),
					&client->bootstrap, &client->n_bootstrap, error);

	for (int i = 0; err == MQ_OK && i < client->n_bootstrap; i++) {
		struct mq_node *node = mq_node_new(client, -1, &client->bootstrap[i]);

		if (!node)
			return mq_fail(error, MQ_E_NOMEM, "out of memory");
		mq_list_push(&client->nodes, &node->list);
		client->n_nodes++;
	}
	return err;
}

static void work_post(struct mq_post *post)
{
	mq_client_work(mq_container_of(post, struct mq_client, work));
}

static void timer_due(void *arg)
{
	mq_client_work(arg);
}

mq_err mq_client_new(struct mq_client **out, const struct mq_client_args *args, mq_error *error)
{
	static const struct mq_dialer system_dialer = {dial, NULL};
	struct mq_client *client = mq_calloc(1, sizeof(*client));
	mq_err err;

	if (!client)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	client->loop = args->loop;
	client->env = mq_loop_env(args->loop);
	client->dialer = args->dialer ? *args->dialer : system_dialer;
	client->auto_create = args->auto_create;
	client->reach = args->reach;
	client->reach_arg = args->arg;
	mq_env_random(client->env, &client->random, sizeof(client->random));
	mq_list_init(&client->nodes);
	mq_list_init(&client->waiting);
	mq_post_init(&client->work, work_post);
	mq_arena_init(&client->refresh_arena, 0);
	mq_meta_init(&client->meta, mq_client_random(client));
	for (int i = 0; i < MQ_COORDINATOR_TYPES; i++)
		mq_map_init(&client->coordinators[i], mq_client_random(client));
	client->conf = mq_conf_dup(args->conf);
	if (!client->conf || !mq_timer_init(&client->timer, client->loop, timer_due, client)) {
		err = mq_fail(error, MQ_E_NOMEM, "out of memory");
	} else {
		client->has_timer = true;
		client->logger = mq_conf_logger(client->conf);
		read_conf(client);
		err = read_tls(client, error);
		if (err == MQ_OK)
			err = add_bootstrap(client, error);
	}
	if (err != MQ_OK) {
		mq_client_free(client);
		return err;
	}
	*out = client;
	return MQ_OK;
}

/* Cancels everything; what a broker in this process still holds is waited for:
 * it has been told, and lets go within its callback. */
static void cancel_all(struct mq_client *client)
{
	struct mq_list *it;

	client->closing = true;
	if (client->refreshing)
		mq_client_cancel(client, &client->refresh);
	mq_coordinators_cancel(client);
	while (!mq_list_empty(&client->waiting))
		mq_client_cancel(client,
				 mq_list_entry(client->waiting.next, struct mq_request, list));
	mq_list_each (it, &client->nodes) {
		struct mq_node *node = mq_list_entry(it, struct mq_node, list);
		struct mq_list *jt;

		mq_list_each (jt, &node->in_flight)
			mq_client_cancel(client, mq_list_entry(jt, struct mq_request, list));
	}
	while (client->n_open + client->n_internal > 0)
		mq_loop_step(client->loop, mq_client_now_us(client) + MQ_CLOSE_STEP_US);
}

void mq_client_free(struct mq_client *client)
{
	if (!client)
		return;
	cancel_all(client);
	while (!mq_list_empty(&client->nodes)) {
		struct mq_node *node = mq_list_entry(client->nodes.next, struct mq_node, list);

		mq_list_remove(&node->list);
		mq_node_free(node);
	}
	mq_loop_unpost(client->loop, &client->work);
	if (client->has_timer)
		mq_timer_deinit(&client->timer);
	mq_coordinators_deinit(client);
	mq_meta_deinit(&client->meta);
	mq_arena_reset(&client->refresh_arena);
	mq_tls_ctx_unref(client->tls);
	mq_conf_free(client->conf);
	free(client->bootstrap);
	free(client);
}

void mq_client_drive(struct mq_client *client, const int *n_open)
{
	while (*n_open > 0)
		mq_loop_step(client->loop, INT64_MAX);
}
