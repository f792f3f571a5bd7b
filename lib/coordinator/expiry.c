/*
 * Offsets that are kept no longer (KIP-211), groups that have become nothing, and
 * the deletion of both.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "coordinator/group.h"

/* Tombstones of a large group go in several batches: each well below the largest
 * message that any topic allows. */
#define TOMBSTONES_BYTES_MAX (256u << 10)

/* --- deleting ------------------------------------------------------------------------------ */

/* Tombstones on their way. The group's id is behind the struct. */
struct cleaning {
	struct mq_group_shard *shard;
	mq_bytes group_id;
	void (*done)(void *arg, mq_err err, struct mq_list *tasks);
	void *arg;
};

static bool is_nothing(const struct mq_group *group)
{
	return group->state == MQ_GROUP_EMPTY && group->offsets.n == 0 && group->pending.n == 0 &&
	       mq_list_empty(&group->txns) && mq_list_empty(&group->committing);
}

/* The replay has removed what the tombstones stand for; a group that has never had a
 * generation has no record of its own. */
static void cleaned(void *arg, mq_err err, struct mq_list *tasks)
{
	struct cleaning *cleaning = arg;
	struct mq_group *group = mq_group_find(cleaning->shard, cleaning->group_id);

	if (group && group->deleting) {
		group->deleting = false;
		if (!err && is_nothing(group))
			mq_group_remove(group);
	}
	if (cleaning->done)
		cleaning->done(cleaning->arg, err, tasks);
	free(cleaning);
}

static void one_cleaned(void *arg, mq_err err, struct mq_list *tasks)
{
	const struct mq_coord *coord = arg;

	(void)tasks;
	if (err)
		mq_say(mq_coord_logger(coord), MQ_LEVEL_WARN,
		       "deleted offsets could not be written: %s", mq_err_text(err));
}

/* Starts another batch when this one has enough. */
static mq_err next_batch(struct mq_group *group, struct mq_write **write, struct mq_list *tasks)
{
	struct mq_coord *coord = group->shard->coord;
	struct mq_write *full = *write;
	mq_err err;

	if (full && mq_write_size(full) < TOMBSTONES_BYTES_MAX)
		return MQ_OK;
	*write = mq_write_new(coord, NULL);
	err = full ? mq_write_submit(full, 0, one_cleaned, coord, tasks) : MQ_OK;
	return err ? err : *write ? MQ_OK : MQ_E_COORDINATOR_NOT_AVAILABLE;
}

static mq_err put_tombstones(struct mq_group *group,
			     bool (*want)(const struct mq_group_offset *offset, void *arg),
			     void *want_arg, struct mq_write **write, struct mq_list *tasks)
{
	const struct mq_group_offset *offset;
	size_t n = 0, at = 0;
	mq_err err = next_batch(group, write, tasks);

	while (!err && (offset = mq_map_next(&group->offsets, &at))) {
		if (want && !want(offset, want_arg))
			continue;
		mq_offset_put_tombstone(group, offset, *write);
		n++;
		err = next_batch(group, write, tasks);
	}
	if (err)
		return err;
	/* Nothing stays: neither does the group. */
	if (group->state == MQ_GROUP_EMPTY && n == group->offsets.n && group->pending.n == 0 &&
	    mq_list_empty(&group->txns) && mq_list_empty(&group->committing)) {
		group->deleting = true;
		if (group->generation > 0)
			mq_group_put_tombstone(group, *write);
	}
	return MQ_OK;
}

mq_err mq_group_clean(struct mq_group *group,
		      bool (*want)(const struct mq_group_offset *offset, void *arg), void *want_arg,
		      void (*done)(void *arg, mq_err err, struct mq_list *tasks), void *arg,
		      struct mq_list *tasks)
{
	struct cleaning *cleaning = malloc(sizeof(*cleaning) + group->id.size + 1);
	int64_t timeout_us = group->shard->groups->conf.commit_timeout_ms * 1000;
	struct mq_write *write = NULL;
	mq_err err;

	if (!cleaning)
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	*cleaning =
	    (struct cleaning){group->shard, mq_mem(cleaning + 1, group->id.size), done, arg};
	memcpy(cleaning + 1, group->id.data, group->id.size);
	err = put_tombstones(group, want, want_arg, &write, tasks);
	if (err)
		mq_write_free(write);
	else
		err = mq_write_submit(write, timeout_us, cleaned, cleaning, tasks);
	if (err) {
		group->deleting = false;
		free(cleaning);
	}
	return err;
}

/* --- expiring ------------------------------------------------------------------------------- */

struct clock {
	const struct mq_group *group;
	int64_t now_ms, retention_ms;
};

static bool is_old(const struct clock *clock, const struct mq_group_offset *offset,
		   int64_t since_ms)
{
	if (offset->expire_ms >= 0)
		return clock->now_ms >= offset->expire_ms;
	return since_ms <= clock->now_ms - clock->retention_ms; /* the log may say any time */
}

/* Offsets of a group with members are kept as long as it subscribes to their topic,
 * those of an empty one from the time on when it became empty; for consumers without
 * a group the time of the commit is all there is. Where a newer one is on its way the
 * tombstone would come after it. */
static bool has_expired(const struct mq_group_offset *offset, void *arg)
{
	const struct clock *clock = arg;
	const struct mq_group *group = clock->group;

	if (mq_group_is_unstable(group, offset->topic, offset->partition))
		return false;
	if (!group->protocol_type.data)
		return is_old(clock, offset, offset->commit_ms);
	if (group->state == MQ_GROUP_EMPTY)
		return is_old(clock, offset,
			      group->state_since_ms >= 0 ? group->state_since_ms
							 : offset->commit_ms);
	return group->state == MQ_GROUP_STABLE && group->topics_known &&
	       !mq_group_subscribes(group, offset->topic) &&
	       is_old(clock, offset, offset->commit_ms);
}

struct expiring {
	struct clock clock;
	struct mq_list *tasks;
};

static void expire(struct mq_group *group, void *arg)
{
	struct expiring *expiring = arg;
	const struct mq_group_offset *offset;
	bool any = is_nothing(group);
	size_t at = 0;

	if (group->deleting)
		return;
	expiring->clock.group = group;
	while (!any && (offset = mq_map_next(&group->offsets, &at)))
		any = has_expired(offset, &expiring->clock);
	/* What fails is found again by the next look. */
	if (any)
		(void)!mq_group_clean(group, has_expired, &expiring->clock, NULL, NULL,
				      expiring->tasks);
}

static void expiry_fire(struct mq_deadline *deadline, struct mq_list *tasks)
{
	struct mq_group_shard *shard = mq_container_of(deadline, struct mq_group_shard, expiry);
	struct expiring expiring = {
	    .clock = {.now_ms = mq_coord_wall_ms(shard->coord),
		      .retention_ms = shard->groups->conf.retention_ms},
	    .tasks = tasks,
	};

	mq_group_shard_each(shard, expire, &expiring);
	if (shard->map.n)
		mq_expiry_arm(shard);
}

void (*const mq_expiry_fire)(struct mq_deadline *deadline, struct mq_list *tasks) = expiry_fire;

void mq_expiry_arm(struct mq_group_shard *shard)
{
	struct mq_deadlines *deadlines = mq_coord_deadlines(shard->coord);

	if (!mq_deadline_is_set(&shard->expiry))
		(void)!mq_deadline_set(deadlines, &shard->expiry,
				       mq_coord_now_us(shard->coord) +
					   shard->groups->conf.check_interval_ms * 1000);
}

/* --- topics --------------------------------------------------------------------------------- */

struct deleted_topic {
	mq_bytes name;
	struct mq_list *tasks;
};

static bool is_of_topic(const struct mq_group_offset *offset, void *arg)
{
	const struct deleted_topic *topic = arg;

	return mq_bytes_eq(offset->topic, topic->name);
}

static void clean_topic(struct mq_group *group, void *arg)
{
	struct deleted_topic *topic = arg;
	const struct mq_group_offset *offset;
	size_t at = 0;

	if (group->deleting)
		return;
	while ((offset = mq_map_next(&group->offsets, &at)))
		if (is_of_topic(offset, topic)) {
			(void)!mq_group_clean(group, is_of_topic, topic, NULL, NULL, topic->tasks);
			return;
		}
}

void mq_groups_topic_deleted(struct mq_groups *groups, mq_bytes topic, struct mq_list *tasks)
{
	struct deleted_topic deleted = {topic, tasks};
	bool loading = false;

	mq_groups_each(groups, clean_topic, &deleted, tasks, &loading);
}
