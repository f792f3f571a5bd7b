/* The questions a producer asks by itself: who leads which partition, and under
 * which producer id it may write. */
#include <limits.h>

#include "base/err.h"
#include "base/mem.h"
#include "producer/producer.h"
#include "protocol/wire.h"

static void answered(struct mq_producer *p, struct mq_question *question, mq_err err)
{
	int64_t now_us = mq_env_now_us(p->env);

	question->busy = false;
	question->retry_us = now_us + mq_acc_backoff_us(&p->acc, question->failures);
	question->failures++;
	if (err == MQ_OK && !mq_acc_wants_metadata(&p->acc, now_us))
		question->retry_us = question->failures = 0;
	if (err != MQ_OK && err != MQ_E_CLOSED)
		p->acc.why = question->req.error;
	mq_request_release(&question->req);
	mq_prod_tell(p);
	mq_prod_go_on(p, err == MQ_OK);
}

/* --- metadata ------------------------------------------------------------------------ */

static void metadata_done(struct mq_request *req, mq_err err)
{
	struct mq_producer *p = req->arg;
	const struct mq_metadata_response *response = req->call.response;

	mq_mutex_lock(&p->lock);
	if (err == MQ_OK)
		err = mq_client_learn(p->client, response);
	if (err == MQ_OK) {
		err = mq_acc_take_metadata(&p->acc, response, mq_env_now_us(p->env));
		if (err != MQ_OK)
			req->error = p->acc.why;
	}
	if (err != MQ_OK)
		p->acc.want_metadata = true;
	mq_arena_reset(&p->metadata_arena);
	answered(p, &p->metadata, err);
	mq_mutex_unlock(&p->lock);
}

static void ask_metadata(struct mq_producer *p, int64_t now_us)
{
	struct mq_metadata_request *request = &p->metadata_request;
	struct mq_request *req = &p->metadata.req;

	mq_set_defaults(mq_metadata_request, request);
	request->allow_auto_topic_creation = true;
	request->topics =
	    mq_acc_metadata_topics(&p->acc, now_us, &p->metadata_arena, &request->n_topics);
	if (!request->topics) {
		p->metadata.retry_us = now_us + mq_acc_backoff_us(&p->acc, 0);
		return;
	}
	mq_request_init(req, MQ_API_METADATA, request, metadata_done, p);
	req->prepare = mq_metadata_prepare;
	req->deadline_us = now_us + (int64_t)p->acc.settings.request_ms * 1000;
	p->metadata.busy = true;
	mq_client_send(p->client, req);
}

/* --- the producer id ------------------------------------------------------------------- */

static mq_err identify_check(struct mq_request *req)
{
	const struct mq_init_producer_id_response *response = req->call.response;

	return (mq_err)response->error_code;
}

static void identify_done(struct mq_request *req, mq_err err)
{
	struct mq_producer *p = req->arg;
	const struct mq_init_producer_id_response *response = req->call.response;

	mq_mutex_lock(&p->lock);
	if (err == MQ_OK && response->producer_id < 0)
		err = mq_fail(&req->error, MQ_E_PROTOCOL, "the broker gives a producer id of %lld",
			      (long long)response->producer_id);
	if (err == MQ_OK) {
		p->acc.producer_id = response->producer_id;
		p->acc.producer_epoch = response->producer_epoch;
		p->acc.why.code = MQ_OK;
	} else if (!mq_err_retriable(err) && err != MQ_E_CLOSED) {
		/* No record can be sent, now or later. */
		mq_acc_give_up(&p->acc, MQ_PURGE_QUEUE, err, req->error.text);
	}
	answered(p, &p->identify, err);
	mq_mutex_unlock(&p->lock);
}

static void ask_identity(struct mq_producer *p, int64_t now_us)
{
	struct mq_init_producer_id_request *request = &p->identify_request;
	struct mq_request *req = &p->identify.req;

	mq_set_defaults(mq_init_producer_id_request, request);
	request->transactional_id = mq_str(NULL);
	request->transaction_timeout_ms = INT_MAX;
	mq_request_init(req, MQ_API_INIT_PRODUCER_ID, request, identify_done, p);
	req->check = identify_check;
	req->deadline_us = now_us + (int64_t)p->acc.settings.request_ms * 1000;
	p->identify.busy = true;
	mq_client_send(p->client, req);
}

/* --- when ------------------------------------------------------------------------------- */

static bool wants_identity(const struct mq_producer *p)
{
	return p->acc.settings.idempotent && !p->acc.settings.transactional_id &&
	       p->acc.producer_id < 0 &&
	       (p->acc.want_metadata || p->metadata.busy || !mq_list_empty(&p->acc.active));
}

static bool due(const struct mq_question *question, int64_t now_us, int64_t *due_us)
{
	if (question->busy)
		return false;
	if (question->retry_us > now_us)
		*due_us = MQ_MIN(*due_us, question->retry_us);
	return question->retry_us <= now_us;
}

MQ_HOT bool mq_prod_wants_ask(const struct mq_producer *p, int64_t now_us)
{
	return (!p->metadata.busy && mq_acc_wants_metadata(&p->acc, now_us)) ||
	       (!p->identify.busy && wants_identity(p)) || mq_ptxn_wants(p);
}

void mq_prod_ask(struct mq_producer *p, int64_t now_us, int64_t *due_us)
{
	if (p->explain_us <= now_us) {
		p->explain_us = INT64_MAX;
		if (p->metadata.busy)
			mq_request_explain(&p->metadata.req, &p->acc.why);
	}
	if (mq_acc_wants_metadata(&p->acc, now_us) && due(&p->metadata, now_us, due_us))
		ask_metadata(p, now_us);
	if (wants_identity(p) && due(&p->identify, now_us, due_us))
		ask_identity(p, now_us);
	if (mq_ptxn_wants(p) && due(&p->txn.question, now_us, due_us))
		mq_ptxn_ask(p, now_us);
}
