/* The public functions of consuming: positions, commits, looking things up. */
#include <mq/consumer.h>

#include <string.h>

#include "api/consumer_impl.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/result.h"
#include "consumer/commit.h"
#include "consumer/fetch.h"
#include "consumer/group.h"
#include "consumer/topics_call.h"

/* --- partitions of the assignment ------------------------------------------------------- */

static struct mq_sub_part *find(struct mq_cons *cons, const char *topic, int32_t partition,
				mq_error *error)
{
	struct mq_sub_part *part = mq_sub_find(&cons->sub, mq_str(topic), partition);

	if (!part)
		mq_fail(error, MQ_E_STATE, "%.249s-%d is not assigned", topic, partition);
	return part;
}

typedef void each_fn(struct mq_cons *cons, struct mq_sub_part *part, int64_t arg);

/* Does something to partitions that all have to be assigned; n 0: to all. */
static mq_err each(mq_consumer *consumer, const mq_topic_partition *partitions, size_t n,
		   each_fn *fn, int64_t arg, mq_error *error)
{
	mq_err err = mq_api_check_partitions(partitions, n, error);
	struct mq_cons *cons;
	struct mq_list *it;

	if (err == MQ_OK)
		err = mq_api_enter(consumer, error);
	if (err != MQ_OK)
		return err;
	cons = &consumer->cons;
	for (size_t i = 0; i < n && err == MQ_OK; i++)
		if (!find(cons, partitions[i].topic, partitions[i].partition, error))
			err = MQ_E_STATE;
	if (err == MQ_OK) {
		mq_cons_stop_stepping(cons);
		for (size_t i = 0; i < n; i++)
			fn(cons, find(cons, partitions[i].topic, partitions[i].partition, NULL),
			   arg);
		if (n == 0)
			mq_sub_each(it, &cons->sub) fn(cons, mq_sub_part_of(it), arg);
		mq_cons_wake(cons);
	}
	mq_consumer_leave(consumer);
	return err;
}

static void reset(struct mq_cons *cons, struct mq_sub_part *part, int64_t to)
{
	mq_sub_reset(&cons->sub, part, to, true);
}

mq_err mq_consumer_seek_to_beginning(mq_consumer *consumer, const mq_topic_partition *partitions,
				     size_t n, mq_error *error)
{
	return each(consumer, partitions, n, reset, MQ_OFFSET_EARLIEST, error);
}

mq_err mq_consumer_seek_to_end(mq_consumer *consumer, const mq_topic_partition *partitions,
			       size_t n, mq_error *error)
{
	return each(consumer, partitions, n, reset, MQ_OFFSET_LATEST, error);
}

mq_err mq_consumer_seek_to_time(mq_consumer *consumer, const mq_topic_partition *partitions,
				size_t n, int64_t timestamp, mq_error *error)
{
	if (timestamp < 0)
		return mq_fail(error, MQ_E_ARG, "the timestamp %lld is before 1970",
			       (long long)timestamp);
	return each(consumer, partitions, n, reset, timestamp, error);
}

mq_err mq_consumer_seek(mq_consumer *consumer, const mq_offset *to, mq_error *error)
{
	mq_err err = to ? mq_api_check_topic(to->topic, error)
			: mq_fail(error, MQ_E_ARG, "the offset is NULL");
	struct mq_position position = {-1, -1, -1};
	struct mq_sub_part *part;

	if (err == MQ_OK && to->offset < 0)
		err =
		    mq_fail(error, MQ_E_ARG, "the offset %lld is negative", (long long)to->offset);
	if (err == MQ_OK)
		err = mq_api_enter(consumer, error);
	if (err != MQ_OK)
		return err;
	part = find(&consumer->cons, to->topic, to->partition, error);
	if (part) {
		mq_cons_stop_stepping(&consumer->cons);
		position.offset = to->offset;
		if (to->leader_epoch.set)
			position.offset_epoch = (int32_t)to->leader_epoch.value;
		mq_sub_seek(&consumer->cons.sub, part, &position, to->leader_epoch.set);
		mq_cons_wake(&consumer->cons);
	}
	mq_consumer_leave(consumer);
	return part ? MQ_OK : MQ_E_STATE;
}

/* The lock is held. */
static mq_err wait_position(struct mq_consumer *c, const char *topic, int32_t partition,
			    int64_t deadline_us, int64_t *offset, mq_error *error)
{
	for (;;) {
		struct mq_sub_part *part = find(&c->cons, topic, partition, error);

		if (!part)
			return MQ_E_STATE;
		if (mq_sub_has_position(part)) {
			*offset = mq_cons_consumed(&c->cons, part);
			return MQ_OK;
		}
		if (part->error.code != MQ_OK) {
			mq_fail(error, part->error.code, "%s", part->error.text);
			return part->error.code;
		}
		if (mq_consumer_take_wakeup(c))
			return mq_fail(error, MQ_E_WOKEN, "another thread has ended the wait");
		if (mq_cons_now_us(&c->cons) >= deadline_us) {
			(void)mq_cons_look_at_status(&c->cons, false);
			return mq_fail(error, MQ_E_TIMED_OUT,
				       "the position of %.249s-%d was not found out: %.200s", topic,
				       partition, c->cons.status_text.text);
		}
		mq_cons_wake(&c->cons);
		(void)mq_consumer_wait(c, deadline_us);
	}
}

mq_err mq_consumer_position(mq_consumer *consumer, const char *topic, int32_t partition,
			    int timeout_ms, int64_t *offset, mq_error *error)
{
	mq_err err = mq_api_check_topic(topic, error);

	if (err == MQ_OK && !offset)
		err = mq_fail(error, MQ_E_ARG, "offset is NULL");
	if (err == MQ_OK)
		err = mq_api_enter(consumer, error);
	if (err != MQ_OK)
		return err;
	err = wait_position(consumer, topic, partition, mq_consumer_deadline(consumer, timeout_ms),
			    offset, error);
	mq_consumer_leave(consumer);
	return err;
}

mq_opt_int mq_consumer_current_lag(mq_consumer *consumer, const char *topic, int32_t partition)
{
	mq_opt_int lag = {0, false};
	struct mq_sub_part *part;
	int64_t end;

	if (!topic || mq_api_enter(consumer, NULL) != MQ_OK)
		return lag;
	part = find(&consumer->cons, topic, partition, NULL);
	if (part && mq_sub_has_position(part)) {
		end = consumer->cons.settings.read_committed ? part->last_stable_offset
							     : part->high_watermark;
		if (end >= 0)
			lag = mq_int(
			    MQ_MAX(end - mq_cons_consumed(&consumer->cons, part), INT64_C(0)));
	}
	mq_consumer_leave(consumer);
	return lag;
}

static void set_paused(struct mq_cons *cons, struct mq_sub_part *part, int64_t paused)
{
	part->paused = paused != 0;
	cons->sub.serial++;
}

mq_err mq_consumer_pause(mq_consumer *consumer, const mq_topic_partition *partitions, size_t n,
			 mq_error *error)
{
	return n == 0 ? MQ_OK : each(consumer, partitions, n, set_paused, 1, error);
}

mq_err mq_consumer_resume(mq_consumer *consumer, const mq_topic_partition *partitions, size_t n,
			  mq_error *error)
{
	return n == 0 ? MQ_OK : each(consumer, partitions, n, set_paused, 0, error);
}

static bool is_paused(const struct mq_sub_part *part)
{
	return part->paused;
}

mq_err mq_consumer_paused(mq_consumer *consumer, const mq_topic_partitions **out, mq_error *error)
{
	mq_err err = out ? mq_api_enter(consumer, error) : mq_fail(error, MQ_E_ARG, "out is NULL");

	if (err != MQ_OK)
		return err;
	err = mq_api_list_parts(consumer, is_paused, out, error);
	mq_consumer_leave(consumer);
	return err;
}

/* --- commits --------------------------------------------------------------------------------- */

static mq_err enter_group(mq_consumer *consumer, mq_error *error)
{
	mq_err err = mq_api_enter(consumer, error);

	if (err != MQ_OK || consumer->cons.group)
		return err;
	mq_consumer_leave(consumer);
	return mq_fail(error, MQ_E_CONFIG, "group.id is not set");
}

static mq_err check_offsets(const mq_offset *offsets, size_t n, mq_error *error)
{
	mq_err err = MQ_OK;

	for (size_t i = 0; i < n && err == MQ_OK; i++) {
		if (!offsets)
			return MQ_OK;
		err = mq_api_check_topic(offsets[i].topic, error);
		if (err == MQ_OK && (offsets[i].offset < 0 || offsets[i].partition < 0))
			err = mq_fail(error, MQ_E_ARG,
				      "%.249s-%d: the offset %lld or the partition cannot be",
				      offsets[i].topic, offsets[i].partition,
				      (long long)offsets[i].offset);
	}
	return err;
}

mq_err mq_consumer_commit_sync(mq_consumer *consumer, const mq_offset *offsets, size_t n,
			       int timeout_ms, mq_error *error)
{
	struct mq_commit_args args = {.offsets = offsets, .n = n, .waited = true};
	struct mq_op *op;
	mq_err err = check_offsets(offsets, n, error);

	if (err == MQ_OK)
		err = enter_group(consumer, error);
	if (err != MQ_OK)
		return err;
	args.deadline_us = mq_consumer_deadline(consumer, timeout_ms);
	err = mq_commits_begin(consumer->cons.commits, &args, &op, error);
	if (err == MQ_OK)
		err = mq_op_wait(consumer, op, error);
	if (err == MQ_OK)
		mq_commits_taken(op);
	if (consumer->in_callback == 0)
		mq_commits_report(consumer->cons.commits);
	mq_consumer_leave(consumer);
	return err;
}

mq_err mq_consumer_commit_async(mq_consumer *consumer, const mq_offset *offsets, size_t n,
				mq_commit_cb *done, void *arg, mq_error *error)
{
	struct mq_commit_args args = {
	    .offsets = offsets, .n = n, .deadline_us = INT64_MAX, .done = done, .arg = arg};
	mq_err err = check_offsets(offsets, n, error);

	if (err == MQ_OK)
		err = enter_group(consumer, error);
	if (err != MQ_OK)
		return err;
	err = mq_commits_begin(consumer->cons.commits, &args, NULL, error);
	mq_consumer_leave(consumer);
	return err;
}

mq_err mq_consumer_committed(mq_consumer *consumer, const mq_topic_partition *partitions, size_t n,
			     int timeout_ms, const mq_offsets **out, mq_error *error)
{
	mq_err err = mq_api_check_partitions(partitions, n, error);
	struct mq_op *op;

	if (err == MQ_OK && !out)
		err = mq_fail(error, MQ_E_ARG, "out is NULL");
	if (err == MQ_OK)
		err = enter_group(consumer, error);
	if (err != MQ_OK)
		return err;
	err = mq_committed_new(consumer->cons.commits, partitions, n,
			       mq_consumer_deadline(consumer, timeout_ms), &op, error);
	if (err == MQ_OK)
		err = mq_op_wait(consumer, op, error);
	if (err == MQ_OK) {
		struct mq_committed *q = mq_container_of(op, struct mq_committed, op);

		*out = q->result;
		q->result = NULL;
		op->free(op);
	}
	mq_consumer_leave(consumer);
	return err;
}

mq_err mq_consumer_group_metadata(mq_consumer *consumer, const mq_group_metadata **out,
				  mq_error *error)
{
	mq_err err = out ? enter_group(consumer, error) : mq_fail(error, MQ_E_ARG, "out is NULL");
	mq_group_metadata *result;
	const struct mq_cons *cons;

	if (err != MQ_OK)
		return err;
	cons = &consumer->cons;
	result = mq_result_new(sizeof(*result));
	if (result) {
		result->group_id = mq_result_str(result, mq_str(cons->settings.group_id));
		result->generation = cons->group->generation;
		result->member_id = mq_result_str(
		    result,
		    mq_str(mq_membership_is_member(cons->group) ? cons->group->member_id : ""));
		if (!result->group_id || !result->member_id ||
		    !mq_result_nullable(result, mq_str(cons->settings.instance_id),
					&result->instance_id)) {
			mq_result_free(result);
			result = NULL;
		}
	}
	if (result)
		*out = result;
	else
		err = mq_fail(error, MQ_E_NOMEM, "out of memory");
	mq_consumer_leave(consumer);
	return err;
}

/* --- looking things up
 * ----------------------------------------------------------------------------- */

/* A copy of what the fetcher has found. */
static mq_err copy_offsets(const mq_offsets *from, const mq_offsets **out, mq_error *error)
{
	mq_offsets *to = mq_result_new(sizeof(*to));
	mq_offset *items = NULL;

	if (to)
		items = mq_arena_array(mq_result_arena(to), from->n + 1, sizeof(*items));
	for (size_t i = 0; items && i < from->n; i++) {
		items[i] = from->items[i];
		items[i].topic = mq_result_str(to, mq_str(from->items[i].topic));
		items[i].metadata = "";
		if (!items[i].topic)
			items = NULL;
	}
	if (!items) {
		mq_result_free(to);
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	to->n = from->n;
	to->items = items;
	*out = to;
	return MQ_OK;
}

static mq_err look_up(mq_consumer *consumer, const mq_partition_at *at, size_t n, int timeout_ms,
		      const mq_offsets **out, mq_error *error)
{
	struct mq_op *op;
	mq_err err = mq_api_enter(consumer, error);

	if (err != MQ_OK)
		return err;
	err = mq_lookup_new(&consumer->cons, at, n, &op);
	if (err == MQ_OK) {
		op->deadline_us = mq_consumer_deadline(consumer, timeout_ms);
		err = mq_op_wait(consumer, op, error);
	} else {
		mq_fail(error, err, "out of memory");
	}
	if (err == MQ_OK) {
		err = copy_offsets(mq_lookup_result(op), out, error);
		op->free(op);
	}
	mq_consumer_leave(consumer);
	return err;
}

mq_err mq_consumer_offsets_for_times(mq_consumer *consumer, const mq_partition_at *partitions,
				     size_t n, int timeout_ms, const mq_offsets **out,
				     mq_error *error)
{
	mq_err err = !out || (n > 0 && !partitions)
			 ? mq_fail(error, MQ_E_ARG, "partitions or out is NULL")
			 : MQ_OK;

	for (size_t i = 0; i < n && err == MQ_OK; i++) {
		err = mq_api_check_topic(partitions[i].topic, error);
		if (err == MQ_OK && (partitions[i].at < 0 || partitions[i].partition < 0))
			err = mq_fail(error, MQ_E_ARG, "%.249s-%d: a time or partition is negative",
				      partitions[i].topic, partitions[i].partition);
	}
	return err == MQ_OK ? look_up(consumer, partitions, n, timeout_ms, out, error) : err;
}

static mq_err look_up_mark(mq_consumer *consumer, const mq_topic_partition *partitions, size_t n,
			   int64_t mark, int timeout_ms, const mq_offsets **out, mq_error *error)
{
	mq_err err = mq_api_check_partitions(partitions, n, error);
	mq_partition_at *at = NULL;

	if (err == MQ_OK && !out)
		err = mq_fail(error, MQ_E_ARG, "out is NULL");
	if (err == MQ_OK) {
		at = mq_calloc(n + 1, sizeof(*at));
		if (!at)
			err = mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	for (size_t i = 0; at && i < n; i++)
		at[i] = (mq_partition_at){partitions[i].topic, partitions[i].partition, mark};
	if (err == MQ_OK)
		err = look_up(consumer, at, n, timeout_ms, out, error);
	free(at);
	return err;
}

mq_err mq_consumer_beginning_offsets(mq_consumer *consumer, const mq_topic_partition *partitions,
				     size_t n, int timeout_ms, const mq_offsets **out,
				     mq_error *error)
{
	return look_up_mark(consumer, partitions, n, MQ_OFFSET_EARLIEST, timeout_ms, out, error);
}

mq_err mq_consumer_end_offsets(mq_consumer *consumer, const mq_topic_partition *partitions,
			       size_t n, int timeout_ms, const mq_offsets **out, mq_error *error)
{
	return look_up_mark(consumer, partitions, n, MQ_OFFSET_LATEST, timeout_ms, out, error);
}

static mq_err describe(mq_consumer *consumer, const char *topic, int timeout_ms,
		       mq_topic_infos **out, mq_error *error)
{
	struct mq_op *op;
	mq_err err = mq_api_enter(consumer, error);

	if (err != MQ_OK)
		return err;
	err = mq_topics_call_new(&consumer->cons, topic, mq_consumer_deadline(consumer, timeout_ms),
				 &op, error);
	if (err == MQ_OK)
		err = mq_op_wait(consumer, op, error);
	if (err == MQ_OK) {
		*out = mq_topics_call_take(op);
		op->free(op);
	}
	mq_consumer_leave(consumer);
	return err;
}

mq_err mq_consumer_list_topics(mq_consumer *consumer, int timeout_ms, const mq_topic_infos **out,
			       mq_error *error)
{
	mq_topic_infos *infos;
	mq_err err = out ? describe(consumer, NULL, timeout_ms, &infos, error)
			 : mq_fail(error, MQ_E_ARG, "out is NULL");

	if (err == MQ_OK)
		*out = infos;
	return err;
}

mq_err mq_consumer_partitions_for(mq_consumer *consumer, const char *topic, int timeout_ms,
				  const mq_topic_infos **out, mq_error *error)
{
	mq_topic_infos *infos;
	mq_err err = mq_api_check_topic(topic, error);

	if (err == MQ_OK && !out)
		err = mq_fail(error, MQ_E_ARG, "out is NULL");
	if (err == MQ_OK)
		err = describe(consumer, topic, timeout_ms, &infos, error);
	if (err == MQ_OK)
		*out = infos;
	return err;
}
