/* The admin client itself, and what its calls have in common. */
#include "admin/admin.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"
#include "env/env.h"

/* Name look-ups block, so they have a worker. */
#define WORKERS 1

mq_err mq_adm_new(struct mq_admin **out, const mq_conf *conf, const struct mq_dialer *dialer,
		  mq_error *error)
{
	struct mq_admin *admin = mq_calloc(1, sizeof(*admin));
	struct mq_client_args args = {.conf = conf, .dialer = dialer};
	mq_err err;

	if (!admin)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	admin->pid = getpid();
	admin->env = mq_env_system_new(WORKERS);
	if (admin->env)
		admin->loop = mq_loop_new(admin->env);
	if (!admin->loop) {
		err = mq_fail(error, MQ_E_NOMEM, "out of memory or of descriptors");
	} else {
		args.loop = admin->loop;
		err = mq_client_new(&admin->client, &args, error);
	}
	if (err != MQ_OK) {
		mq_adm_free(admin);
		return err;
	}
	mq_conf_say_known(conf);
	*out = admin;
	return MQ_OK;
}

void mq_adm_free(struct mq_admin *admin)
{
	if (!admin)
		return;
	/* In a fork's child the sockets and the loop are the parent's. */
	if (admin->pid == getpid()) {
		mq_client_free(admin->client);
		mq_loop_free(admin->loop);
		mq_env_system_free(admin->env);
	}
	free(admin);
}

/* --- asking ----------------------------------------------------------------- */

void mq_adm_begin(struct mq_adm_call *call, struct mq_admin *admin, int timeout_ms, mq_error *error)
{
	memset(call, 0, sizeof(*call));
	call->admin = admin;
	call->error = error;
	call->deadline_us = mq_client_now_us(admin->client) + (int64_t)MQ_MAX(timeout_ms, 0) * 1000;
	call->broker_timeout_ms =
	    MQ_MIN(MQ_MAX(timeout_ms, 0), mq_client_request_timeout_ms(admin->client));
	mq_arena_init(&call->arena, 0);
}

void mq_adm_end(struct mq_adm_call *call, struct mq_ask *asks)
{
	for (; asks; asks = asks->next)
		mq_request_release(&asks->req);
	mq_arena_reset(&call->arena);
}

mq_err mq_adm_nomem(struct mq_adm_call *call)
{
	return mq_fail(call->error, MQ_E_NOMEM, "out of memory");
}

static void ask_done(struct mq_request *req, mq_err err)
{
	struct mq_ask *ask = req->arg;

	ask->err = err;
	ask->call->n_open--;
}

struct mq_ask *mq_adm_ask_new(struct mq_adm_call *call, int16_t api_key,
			      const struct mq_message *message, struct mq_ask **asks)
{
	struct mq_ask *ask = mq_arena_array(&call->arena, 1, sizeof(*ask));
	void *request = mq_struct_array(&call->arena, message->root, 1);

	if (!ask || !request)
		return NULL;
	mq_request_init(&ask->req, api_key, request, ask_done, ask);
	ask->req.deadline_us = call->deadline_us;
	ask->call = call;
	ask->next = *asks;
	*asks = ask;
	return ask;
}

void mq_adm_ask_send(struct mq_ask *ask)
{
	ask->call->n_open++;
	mq_client_send(ask->call->admin->client, &ask->req);
}

void mq_adm_wait(struct mq_adm_call *call)
{
	mq_client_drive(call->admin->client, &call->n_open);
}

mq_err mq_adm_ask_one(struct mq_ask *ask)
{
	mq_adm_ask_send(ask);
	mq_adm_wait(ask->call);
	if (ask->err != MQ_OK)
		return mq_fail(ask->call->error, ask->err, "%s",
			       ask->req.error.text[0] ? ask->req.error.text
						      : mq_err_text(ask->err));
	return MQ_OK;
}

bool mq_adm_pause(struct mq_adm_call *call, int64_t us)
{
	struct mq_admin *admin = call->admin;
	int64_t until_us = mq_client_now_us(admin->client) + us;

	if (until_us >= call->deadline_us)
		return false;
	while (mq_client_now_us(admin->client) < until_us)
		mq_loop_step(admin->loop, until_us);
	return true;
}

static void metadata_names(struct mq_metadata_request *request, const mq_bytes *topics, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		request->topics[i].name = topics[i];
	request->n_topics = n;
}

mq_err mq_adm_metadata(struct mq_adm_call *call, const mq_bytes *topics, int32_t n, bool all,
		       struct mq_ask **asks, const struct mq_metadata_response **out)
{
	struct mq_ask *ask =
	    mq_adm_ask_new(call, MQ_API_METADATA, &mq_metadata_request_message, asks);
	struct mq_metadata_request *request;
	mq_err err;

	if (!ask)
		return mq_adm_nomem(call);
	request = ask->req.call.request;
	request->allow_auto_topic_creation = false;
	request->topics = mq_new(&call->arena, mq_metadata_request_topic, (size_t)n);
	if (!request->topics)
		return mq_adm_nomem(call);
	if (all)
		request->n_topics = -1;
	else
		metadata_names(request, topics, n);
	ask->req.prepare = mq_metadata_prepare;
	err = mq_adm_ask_one(ask);
	if (err != MQ_OK)
		return err;
	*out = ask->req.call.response;
	err = mq_client_learn(call->admin->client, *out);
	return err == MQ_OK ? err : mq_adm_nomem(call);
}

/* --- one outcome for each item -------------------------------------------------- */

bool mq_tally_init(struct mq_tally *tally, size_t n)
{
	mq_map_init(&tally->by_name, (uintptr_t)tally);
	tally->outcomes = mq_result_new(sizeof(*tally->outcomes));
	if (!tally->outcomes)
		return false;
	tally->outcomes->items =
	    (const mq_outcome *const *)mq_result_items(tally->outcomes, n, sizeof(mq_outcome));
	return tally->outcomes->items != NULL;
}

static mq_outcome *item_at(const struct mq_tally *tally, size_t i)
{
	return (mq_outcome *)(uintptr_t)tally->outcomes->items[i];
}

bool mq_tally_add(struct mq_tally *tally, const char *name)
{
	mq_outcome *item = item_at(tally, tally->outcomes->n++);

	item->name = mq_result_str(tally->outcomes, mq_str(name));
	item->partition = -1;
	item->err = MQ_E_UNKNOWN_SERVER_ERROR;
	item->text = NULL; /* no answer yet */
	if (!item->name)
		return false;
	return mq_map_get(&tally->by_name, item->name, strlen(name)) ||
	       mq_map_set(&tally->by_name, item->name, strlen(name), item);
}

bool mq_tally_set(struct mq_tally *tally, mq_bytes name, int16_t err, mq_bytes message)
{
	mq_outcome *item = name.data ? mq_map_get(&tally->by_name, name.data, name.size) : NULL;

	if (!item)
		return true; /* nobody asked about it */
	item->err = (mq_err)err;
	item->text = mq_result_text(tally->outcomes, item->err, message);
	return item->text != NULL;
}

mq_outcomes *mq_tally_take(struct mq_tally *tally)
{
	mq_outcomes *outcomes = tally->outcomes;

	for (size_t i = 0; i < outcomes->n; i++) {
		mq_outcome *item = item_at(tally, i);
		const mq_outcome *first =
		    mq_map_get(&tally->by_name, item->name, strlen(item->name));

		/* One named twice has one answer. */
		if (!item->text && first && first->text) {
			item->err = first->err;
			item->text = first->text;
		} else if (!item->text) {
			item->text = "the broker's answer leaves it out";
		}
	}
	tally->outcomes = NULL;
	return outcomes;
}

void mq_tally_deinit(struct mq_tally *tally)
{
	mq_map_deinit(&tally->by_name);
	mq_result_free(tally->outcomes);
}
