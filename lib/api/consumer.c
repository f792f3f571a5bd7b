/* The public functions of consuming: beginning and end, what to consume, and
 * taking records. */
#include <mq/consumer.h>

#include <limits.h>
#include <string.h>

#include "api/consumer_impl.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/result.h"
#include "base/topic.h"
#include "consumer/commit.h"
#include "consumer/fetch.h"
#include "consumer/group.h"
#include "consumer/records.h"
#include "env/notify.h"
#include "env/system.h"

/* --- beginning and end -------------------------------------------------------------- */

mq_consumer *mq_consumer_new(const mq_conf *conf, mq_error *error)
{
	struct mq_consumer *consumer = NULL;

	if (!conf || mq_conf_role(conf) != MQ_ROLE_CONSUMER)
		mq_fail(error, MQ_E_ARG, "a configuration made with MQ_ROLE_CONSUMER is needed");
	else if (mq_consumer_make(&consumer, conf, NULL, error) != MQ_OK)
		return NULL;
	return consumer;
}

static bool is_foreign(const mq_consumer *consumer)
{
	return consumer->forks != mq_env_forks();
}

mq_err mq_api_enter(mq_consumer *consumer, mq_error *error)
{
	if (!consumer)
		return mq_fail(error, MQ_E_ARG, "the consumer is NULL");
	if (is_foreign(consumer))
		return mq_fail(error, MQ_E_FORKED, "the consumer was made by the parent process");
	return mq_consumer_enter(consumer, error);
}

void mq_consumer_free(mq_consumer *consumer)
{
	if (consumer && !is_foreign(consumer))
		mq_consumer_destroy(consumer);
}

mq_err mq_consumer_close(mq_consumer *consumer, int timeout_ms, mq_error *error)
{
	mq_err err = mq_api_enter(consumer, error);

	if (err == MQ_E_CLOSED)
		return MQ_OK;
	if (err != MQ_OK)
		return err;
	if (consumer->in_callback > 0)
		err = mq_fail(error, MQ_E_STATE, "closing in a callback is not possible");
	else
		err = mq_consumer_shut(consumer, mq_consumer_deadline(consumer, timeout_ms), error);
	mq_consumer_leave(consumer);
	return err;
}

void mq_consumer_result_free(const void *result)
{
	mq_result_free(result);
}

/* --- subscribing ------------------------------------------------------------------------ */

mq_err mq_api_check_topic(const char *topic, mq_error *error)
{
	if (!topic)
		return mq_fail(error, MQ_E_ARG, "a topic is NULL");
	if (!mq_topic_name_ok(mq_str(topic)))
		return mq_fail(error, MQ_E_ARG, "\"%.260s\" cannot be a topic", topic);
	return MQ_OK;
}

mq_err mq_api_check_partitions(const mq_topic_partition *partitions, size_t n, mq_error *error)
{
	mq_err err = MQ_OK;

	if (n > 0 && !partitions)
		return mq_fail(error, MQ_E_ARG, "partitions is NULL");
	for (size_t i = 0; i < n && err == MQ_OK; i++) {
		err = mq_api_check_topic(partitions[i].topic, error);
		if (err == MQ_OK && partitions[i].partition < 0)
			err = mq_fail(error, MQ_E_ARG, "there is no partition %d",
				      partitions[i].partition);
	}
	return err;
}

static mq_err check_kind(const struct mq_cons *cons, enum mq_sub_kind kind, mq_error *error)
{
	static const char *const names[] = {"", "topics are subscribed to",
					    "a pattern is subscribed to",
					    "partitions are assigned"};

	if (kind != MQ_SUB_ASSIGNED && !cons->group)
		return mq_fail(error, MQ_E_CONFIG, "subscribing needs group.id");
	if (cons->sub.kind != MQ_SUB_NONE && cons->sub.kind != kind)
		return mq_fail(error, MQ_E_STATE, "%s: unsubscribe first", names[cons->sub.kind]);
	return MQ_OK;
}

static void subscribed(struct mq_cons *cons, enum mq_sub_kind kind,
		       const mq_rebalance_listener *listener)
{
	memset(&cons->sub.listener, 0, sizeof(cons->sub.listener));
	if (listener)
		cons->sub.listener = *listener;
	cons->sub.kind = kind;
	cons->sub.serial++;
	cons->topic_error.code = MQ_OK;
	mq_membership_subscribed(cons->group);
}

static void unsubscribe(struct mq_cons *cons)
{
	int64_t deadline_us = mq_cons_now_us(cons) + (int64_t)cons->settings.request_ms * 1000;

	mq_cons_stop_stepping(cons);
	if (mq_sub_by_group(&cons->sub)) {
		mq_membership_give_up(cons->group);
		mq_membership_leave(cons->group, deadline_us, NULL);
		cons->group->rejoin = false;
		cons->group->fatal.code = MQ_OK;
	}
	mq_sub_clear(&cons->sub);
	cons->topic_error.code = cons->no_topic.code = MQ_OK;
	mq_cons_wake(cons);
}

mq_err mq_consumer_subscribe(mq_consumer *consumer, const char *const *topics, size_t n,
			     const mq_rebalance_listener *listener, mq_error *error)
{
	mq_err err = n > 0 && !topics ? mq_fail(error, MQ_E_ARG, "topics is NULL") : MQ_OK;

	for (size_t i = 0; i < n && err == MQ_OK; i++)
		err = mq_api_check_topic(topics[i], error);
	if (err == MQ_OK)
		err = mq_api_enter(consumer, error);
	if (err != MQ_OK)
		return err;
	if (n == 0) {
		unsubscribe(&consumer->cons);
	} else {
		err = check_kind(&consumer->cons, MQ_SUB_TOPICS, error);
		if (err == MQ_OK) {
			err = mq_sub_set_topics(&consumer->cons.sub, topics, n);
			if (err != MQ_OK)
				mq_fail(error, err, "out of memory");
		}
		if (err == MQ_OK)
			subscribed(&consumer->cons, MQ_SUB_TOPICS, listener);
	}
	mq_consumer_leave(consumer);
	return err;
}

mq_err mq_consumer_subscribe_pattern(mq_consumer *consumer, const char *pattern,
				     const mq_rebalance_listener *listener, mq_error *error)
{
	mq_err err =
	    pattern ? mq_api_enter(consumer, error) : mq_fail(error, MQ_E_ARG, "pattern is NULL");

	if (err != MQ_OK)
		return err;
	err = check_kind(&consumer->cons, MQ_SUB_PATTERN, error);
	if (err == MQ_OK)
		err = mq_sub_set_pattern(&consumer->cons.sub, pattern, error);
	if (err == MQ_OK)
		subscribed(&consumer->cons, MQ_SUB_PATTERN, listener);
	mq_consumer_leave(consumer);
	return err;
}

mq_err mq_consumer_unsubscribe(mq_consumer *consumer, mq_error *error)
{
	mq_err err = mq_api_enter(consumer, error);

	if (err != MQ_OK)
		return err;
	unsubscribe(&consumer->cons);
	if (consumer->cons.commits && consumer->in_callback == 0)
		mq_commits_report(consumer->cons.commits);
	mq_consumer_leave(consumer);
	return MQ_OK;
}

mq_err mq_consumer_assign(mq_consumer *consumer, const mq_topic_partition *partitions, size_t n,
			  mq_error *error)
{
	mq_err err = mq_api_check_partitions(partitions, n, error);
	struct mq_cons *cons;

	if (err == MQ_OK)
		err = mq_api_enter(consumer, error);
	if (err != MQ_OK)
		return err;
	cons = &consumer->cons;
	err = check_kind(cons, MQ_SUB_ASSIGNED, error);
	if (err == MQ_OK && n == 0) {
		unsubscribe(cons);
	} else if (err == MQ_OK) {
		mq_cons_stop_stepping(cons);
		/* Of what is not assigned any more no poll could do it. */
		if (cons->group)
			mq_commits_auto(cons->commits, mq_cons_now_us(cons));
		err = mq_sub_assign(&cons->sub, partitions, n);
		if (err != MQ_OK)
			mq_fail(error, err, "%s", mq_err_text(err));
		else
			cons->sub.kind = MQ_SUB_ASSIGNED;
		mq_cons_want_metadata(cons);
		mq_cons_wake(cons); /* even where metadata are wanted already */
	}
	mq_consumer_leave(consumer);
	return err;
}

mq_err mq_consumer_enforce_rebalance(mq_consumer *consumer, const char *reason, mq_error *error)
{
	mq_err err = mq_api_enter(consumer, error);
	struct mq_membership *g;
	char *copy;

	if (err != MQ_OK)
		return err;
	g = consumer->cons.group;
	if (!g || !mq_sub_by_group(&consumer->cons.sub)) {
		err = mq_fail(error, MQ_E_STATE, "no topics are subscribed to");
	} else {
		copy = reason ? mq_bytes_dup(mq_str(reason)) : NULL;
		free(g->reason);
		g->reason = copy;
		g->rejoin = true;
	}
	mq_consumer_leave(consumer);
	return err;
}

/* --- what is subscribed to ---------------------------------------------------------------- */

mq_err mq_api_list_parts(struct mq_consumer *consumer, bool (*wanted)(const struct mq_sub_part *),
			 const mq_topic_partitions **out, mq_error *error)
{
	struct mq_sub *sub = &consumer->cons.sub;
	mq_topic_partitions *list = mq_result_new(sizeof(*list));
	mq_topic_partition *items = NULL;
	struct mq_list *it;

	if (list)
		items = mq_arena_array(mq_result_arena(list), sub->n_parts + 1, sizeof(*items));
	if (!items)
		goto nomem;
	mq_sub_each(it, sub)
	{
		const struct mq_sub_part *part = mq_sub_part_of(it);

		if (wanted && !wanted(part))
			continue;
		items[list->n].topic =
		    mq_result_str(list, mq_mem(part->topic->name, part->topic->size));
		if (!items[list->n].topic)
			goto nomem;
		items[list->n++].partition = part->index;
	}
	if (list->n > 1)
		qsort(items, list->n, sizeof(*items), mq_api_partition_order);
	list->items = items;
	*out = list;
	return MQ_OK;
nomem:
	mq_result_free(list);
	return mq_fail(error, MQ_E_NOMEM, "out of memory");
}

int mq_api_partition_order(const void *a, const void *b)
{
	const mq_topic_partition *x = a, *y = b;
	int order = strcmp(x->topic, y->topic);

	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

mq_err mq_consumer_assignment(mq_consumer *consumer, const mq_topic_partitions **out,
			      mq_error *error)
{
	mq_err err = out ? mq_api_enter(consumer, error) : mq_fail(error, MQ_E_ARG, "out is NULL");

	if (err != MQ_OK)
		return err;
	err = mq_api_list_parts(consumer, NULL, out, error);
	mq_consumer_leave(consumer);
	return err;
}

static mq_err list_names(const struct mq_sub *sub, const mq_names **out, mq_error *error)
{
	mq_names *names = mq_result_new(sizeof(*names));
	const char **items = NULL;

	if (names)
		items = mq_arena_array(mq_result_arena(names), sub->n_topics + 1, sizeof(*items));
	for (size_t i = 0; items && i < sub->n_topics; i++) {
		items[i] = mq_result_str(names, mq_str(sub->topics[i]));
		if (!items[i])
			items = NULL;
	}
	if (!items) {
		mq_result_free(names);
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	names->n = sub->n_topics;
	names->items = items;
	*out = names;
	return MQ_OK;
}

mq_err mq_consumer_subscription(mq_consumer *consumer, const mq_names **out, mq_error *error)
{
	mq_err err = out ? mq_api_enter(consumer, error) : mq_fail(error, MQ_E_ARG, "out is NULL");

	if (err != MQ_OK)
		return err;
	err = list_names(&consumer->cons.sub, out, error);
	mq_consumer_leave(consumer);
	return err;
}

/* --- taking records -------------------------------------------------------------------------- */

mq_records *mq_consumer_poll(mq_consumer *consumer, int timeout_ms, mq_error *error)
{
	mq_records *records = NULL;

	if (mq_api_enter(consumer, error) != MQ_OK)
		return NULL;
	(void)mq_consumer_poll_locked(
	    consumer, mq_consumer_deadline(consumer, MQ_MAX(timeout_ms, 0)), &records, error);
	mq_consumer_leave(consumer);
	return records;
}

const mq_received *mq_consumer_next(mq_consumer *consumer, int timeout_ms, mq_error *error)
{
	mq_records *records = consumer ? consumer->cons.records : NULL;
	mq_err err;

	if (records && consumer->cons.stepping && records->at < records->n)
		return &records->items[records->at++];
	if (mq_api_enter(consumer, error) != MQ_OK)
		return NULL;
	err = mq_consumer_poll_locked(
	    consumer, mq_consumer_deadline(consumer, MQ_MAX(timeout_ms, 0)), &records, error);
	consumer->cons.stepping = err == MQ_OK;
	mq_consumer_leave(consumer);
	if (err != MQ_OK)
		return NULL;
	if (records->n > 0)
		return &records->items[records->at++];
	if (error) {
		error->code = MQ_OK;
		error->text[0] = '\0';
	}
	return NULL;
}

void mq_consumer_wakeup(mq_consumer *consumer)
{
	bool taken;

	if (!consumer || is_foreign(consumer))
		return;
	taken = mq_consumer_lock(consumer);
	consumer->wakeup = true;
	consumer->cons.port.tell(consumer->cons.port.arg);
	consumer->cons.port.wake(consumer->cons.port.arg); /* it may drive the loop itself */
	mq_consumer_unlock(consumer, taken);
}

int mq_consumer_fd(mq_consumer *consumer, mq_error *error)
{
	int fd;

	if (mq_api_enter(consumer, error) != MQ_OK)
		return -1;
	if (consumer->fd < 0) {
		fd = mq_notify_open();
		if (fd < 0) {
			mq_fail_errno(error, -fd, "the descriptor cannot be made");
		} else {
			consumer->fd = fd;
			/* The first poll may have something to begin. */
			consumer->fd_set = true;
			mq_notify_set(fd);
		}
	}
	fd = consumer->fd;
	mq_consumer_leave(consumer);
	return fd;
}

void mq_consumer_status(mq_consumer *consumer, mq_consumer_event *event)
{
	memset(event, 0, sizeof(*event));
	event->partition = -1;
	event->text = "";
	if (mq_api_enter(consumer, NULL) != MQ_OK)
		return;
	(void)mq_cons_look_at_status(&consumer->cons, false);
	*event = consumer->cons.status;
	mq_consumer_leave(consumer);
}

void mq_consumer_metrics_get(mq_consumer *consumer, mq_consumer_metrics *metrics)
{
	bool taken;

	memset(metrics, 0, sizeof(*metrics));
	if (!consumer || is_foreign(consumer))
		return;
	taken = mq_consumer_lock(consumer);
	*metrics = consumer->cons.counters;
	metrics->partitions_assigned = consumer->cons.sub.n_parts;
	mq_consumer_unlock(consumer, taken);
}
