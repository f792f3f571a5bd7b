/* The public functions of producing: arguments are checked here, and futures
 * are made of callbacks. */
#include <mq/producer.h>

#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"
#include "env/system.h"
#include "producer/partitioner.h"
#include "producer/producer.h"

int32_t mq_partition_of_key(mq_bytes key, int32_t n_partitions)
{
	return n_partitions > 0 ? mq_partition_by_hash(key, n_partitions) : 0;
}

mq_producer *mq_producer_new(const mq_conf *conf, mq_error *error)
{
	struct mq_producer *producer = NULL;

	if (!conf || mq_conf_role(conf) != MQ_ROLE_PRODUCER)
		mq_fail(error, MQ_E_ARG, "a configuration made with MQ_ROLE_PRODUCER is needed");
	else if (mq_prod_new(&producer, conf, NULL, error) != MQ_OK)
		return NULL;
	return producer;
}

static bool is_foreign(const mq_producer *producer)
{
	return producer->forks != mq_env_forks_now();
}

void mq_producer_free(mq_producer *producer)
{
	if (producer && !is_foreign(producer))
		mq_prod_free(producer);
}

static mq_err check(const mq_producer *producer, mq_error *error)
{
	if (!producer)
		return mq_fail(error, MQ_E_ARG, "the producer is NULL");
	if (is_foreign(producer))
		return mq_fail(error, MQ_E_FORKED, "the producer was made by the parent process");
	return MQ_OK;
}

/* --- sending ------------------------------------------------------------------------- */

MQ_HOT mq_err mq_producer_send(mq_producer *producer, const mq_record *record, mq_sent_cb *done,
			       void *arg, mq_error *error)
{
	if (MQ_UNLIKELY(!producer || is_foreign(producer)))
		return check(producer, error);
	return mq_prod_send(producer, record, done, arg, error);
}

struct mq_future {
	struct mq_mutex lock; /* guards what follows */
	struct mq_cond changed;
	int refs; /* the owner and the record on its way */
	bool known;
	mq_sent sent;
	char *topic;
	mq_error error;
};

static void future_unref(mq_future *future)
{
	bool last;

	mq_mutex_lock(&future->lock);
	last = --future->refs == 0;
	mq_mutex_unlock(&future->lock);
	if (!last)
		return;
	mq_cond_deinit(&future->changed);
	mq_mutex_deinit(&future->lock);
	free(future->topic);
	free(future);
}

static void future_done(void *arg, const mq_sent *sent)
{
	mq_future *future = arg;

	mq_mutex_lock(&future->lock);
	future->known = true;
	future->sent = *sent;
	future->sent.topic = future->topic;
	if (sent->err != MQ_OK)
		mq_fail(&future->error, sent->err, "%s", sent->text);
	future->sent.text = future->error.text;
	mq_cond_broadcast(&future->changed);
	mq_mutex_unlock(&future->lock);
	future_unref(future);
}

mq_future *mq_producer_send_future(mq_producer *producer, const mq_record *record, mq_error *error)
{
	mq_future *future;

	if (check(producer, error) != MQ_OK || mq_prod_check_record(record, error) != MQ_OK)
		return NULL;
	future = mq_calloc(1, sizeof(*future));
	if (future)
		future->topic = strdup(record->topic);
	if (!future || !future->topic) {
		free(future);
		mq_fail(error, MQ_E_NOMEM, "out of memory");
		return NULL;
	}
	mq_mutex_init(&future->lock);
	mq_cond_init(&future->changed);
	future->refs = 2;
	if (mq_prod_send(producer, record, future_done, future, error) != MQ_OK) {
		future_unref(future);
		future_unref(future);
		return NULL;
	}
	return future;
}

mq_err mq_future_get(mq_future *future, int timeout_ms, mq_sent *sent, mq_error *error)
{
	int64_t deadline_us;
	mq_err err = MQ_OK;

	if (!future)
		return mq_fail(error, MQ_E_ARG, "the future is NULL");
	deadline_us = mq_system_now_us() + (int64_t)MQ_MAX(timeout_ms, 0) * 1000;
	mq_mutex_lock(&future->lock);
	while (!future->known && mq_system_now_us() < deadline_us)
		mq_cond_wait(&future->changed, &future->lock, deadline_us);
	if (!future->known)
		err = mq_fail(error, MQ_E_TIMED_OUT, "the record is still on its way after %d ms",
			      timeout_ms);
	else if (future->error.code != MQ_OK)
		err = mq_fail(error, future->error.code, "%s", future->error.text);
	if (future->known && sent)
		*sent = future->sent;
	mq_mutex_unlock(&future->lock);
	return err;
}

void mq_future_free(mq_future *future)
{
	if (future)
		future_unref(future);
}

/* --- the rest -------------------------------------------------------------------------- */

mq_err mq_producer_flush(mq_producer *producer, int timeout_ms, mq_error *error)
{
	mq_err err = check(producer, error);

	return err == MQ_OK ? mq_prod_flush(producer, timeout_ms, error) : err;
}

mq_err mq_producer_purge(mq_producer *producer, unsigned what, mq_error *error)
{
	mq_err err = check(producer, error);

	if (err == MQ_OK && (what & ~(unsigned)(MQ_PURGE_QUEUE | MQ_PURGE_IN_FLIGHT)))
		err = mq_fail(error, MQ_E_ARG, "what is to be purged is not made of mq_purge_what");
	if (err == MQ_OK)
		err = mq_prod_purge(producer, what, error);
	return err;
}

mq_err mq_producer_partitions_for(mq_producer *producer, const char *topic, int timeout_ms,
				  int32_t *n_partitions, mq_error *error)
{
	mq_err err = check(producer, error);

	if (err == MQ_OK && (!topic || !n_partitions))
		err = mq_fail(error, MQ_E_ARG, "the topic or the place for the answer is NULL");
	if (err != MQ_OK)
		return err;
	return mq_prod_partitions_for(producer, topic, timeout_ms, n_partitions, error);
}

mq_err mq_producer_init_transactions(mq_producer *producer, int timeout_ms, mq_error *error)
{
	mq_err err = check(producer, error);

	return err == MQ_OK ? mq_ptxn_start(producer, timeout_ms, error) : err;
}

mq_err mq_producer_begin_transaction(mq_producer *producer, mq_error *error)
{
	mq_err err = check(producer, error);

	return err == MQ_OK ? mq_ptxn_begin(producer, error) : err;
}

mq_err mq_producer_send_offsets_to_transaction(mq_producer *producer,
					       const struct mq_offset *offsets, size_t n,
					       const struct mq_group_metadata *group,
					       int timeout_ms, mq_error *error)
{
	mq_err err = check(producer, error);

	if (err != MQ_OK)
		return err;
	return mq_ptxn_send_offsets(producer, offsets, n, group, timeout_ms, error);
}

mq_err mq_producer_commit_transaction(mq_producer *producer, int timeout_ms, mq_error *error)
{
	mq_err err = check(producer, error);

	return err == MQ_OK ? mq_ptxn_end(producer, true, timeout_ms, error) : err;
}

mq_err mq_producer_abort_transaction(mq_producer *producer, int timeout_ms, mq_error *error)
{
	mq_err err = check(producer, error);

	return err == MQ_OK ? mq_ptxn_end(producer, false, timeout_ms, error) : err;
}

void mq_producer_metrics_get(mq_producer *producer, mq_producer_metrics *metrics)
{
	memset(metrics, 0, sizeof(*metrics));
	if (check(producer, NULL) != MQ_OK)
		return;
	mq_mutex_lock(&producer->lock);
	*metrics = producer->acc.counters;
	mq_mutex_unlock(&producer->lock);
}

mq_err mq_producer_close(mq_producer *producer, int timeout_ms, uint64_t *n_lost, mq_error *error)
{
	mq_err err = check(producer, error);

	return err == MQ_OK ? mq_prod_close(producer, timeout_ms, n_lost, error) : err;
}
