/* See sim_group.h. */
#include "sim/sim_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mq/consumer.h>

#include "base/mem.h"
#include "sim/sim_fs.h"
#include "sim/sim_net.h"

#define TOPICS_MAX     2
#define PARTITIONS_MAX 8
#define MEMBERS_MAX    5
#define RECORDS_MAX    4096
#define ATTEMPTS_MAX   512

/* How long a group has to read all, once all is well. */
#define PROGRESS_US (400 * SIM_SEC)

enum commits { COMMIT_AUTO, COMMIT_SYNC, COMMIT_ASYNC, COMMIT_RECORDS, N_COMMITS };

/* One partition as its group knows it. */
struct part {
	bool delivered[RECORDS_MAX];
	int64_t n_delivered; /* all below have been */
	int64_t floor;       /* the highest commit that was acknowledged; -1: none */
	int64_t attempts[ATTEMPTS_MAX];
	unsigned n_attempts;
	/* The owner in the latest generation that was seen. */
	int32_t generation;
	char owner[64];
};

struct member {
	struct sim_group *group;
	int index;
	unsigned life;
	char owner[64]; /* a name for this life, or of the static member */
	struct sim_conf conf;
	enum commits commits;
	bool is_static;
	int64_t poll_interval_us, session_us, stall_us;
	mq_consumer *consumer;
	bool cut_off;
	bool owned[TOPICS_MAX][PARTITIONS_MAX];
	int64_t next[TOPICS_MAX][PARTITIONS_MAX];  /* -1: wherever it begins */
	int64_t start[TOPICS_MAX][PARTITIONS_MAX]; /* the floor when it was assigned */
};

struct sim_group {
	struct sim_swarm *swarm;
	struct sim_model *model;
	const char *const *topics;
	char name[32];
	bool orderly; /* no request can overtake another */
	bool healed, done;
	struct member members[MEMBERS_MAX];
	int n_members, n_open;
	struct part parts[TOPICS_MAX][PARTITIONS_MAX];
	unsigned n_assigned; /* calls of on_assigned */
};

struct commit {
	struct member *member;
	unsigned life;
};

/* --- what must hold ---------------------------------------------------------------------- */

static int topic_of(const struct sim_group *group, const char *name)
{
	for (int t = 0; t < group->swarm->n_topics; t++)
		if (strcmp(group->topics[t], name) == 0)
			return t;
	sim_fail("%s: a topic %s nobody has subscribed to", group->name, name);
}

static struct part *part_of(struct sim_group *group, const char *topic, int32_t partition)
{
	sim_check(partition >= 0 && partition < PARTITIONS_MAX, "partition %d", partition);
	return &group->parts[topic_of(group, topic)][partition];
}

/* A member takes a partition over in a generation. */
static void take_over(struct member *member, struct part *part, const mq_topic_partition *tp,
		      int32_t generation)
{
	sim_check(generation > part->generation ||
		      (generation == part->generation && strcmp(part->owner, member->owner) == 0) ||
		      generation < part->generation,
		  "%s: in generation %d both %s and %s own %s-%d", member->group->name, generation,
		  part->owner, member->owner, tp->topic, tp->partition);
	if (generation < part->generation)
		return; /* it hears late of what is over */
	part->generation = generation;
	snprintf(part->owner, sizeof(part->owner), "%s", member->owner);
}

static void check_begin(struct member *member, struct part *part, const mq_received *record,
			int64_t start)
{
	struct sim_group *group = member->group;
	bool attempted = false;

	sim_check(record->offset <= part->n_delivered,
		  "%s: %s begins with %s-%d at %lld, and nobody was handed %lld", group->name,
		  member->owner, record->topic, record->partition, (long long)record->offset,
		  (long long)part->n_delivered);
	for (unsigned i = 0; i < part->n_attempts && !group->orderly; i++)
		attempted = attempted || part->attempts[i] == record->offset;
	sim_check(record->offset >= start || attempted,
		  "%s: %s begins with %s-%d at %lld, though %lld was committed", group->name,
		  member->owner, record->topic, record->partition, (long long)record->offset,
		  (long long)start);
}

static void deliver(struct member *member, const mq_received *record)
{
	struct sim_group *group = member->group;
	struct part *part = part_of(group, record->topic, record->partition);
	int t = topic_of(group, record->topic);
	int64_t *next = &member->next[t][record->partition];

	sim_check(member->owned[t][record->partition],
		  "%s: %s is handed %s-%d %lld, which is not its", group->name, member->owner,
		  record->topic, record->partition, (long long)record->offset);
	sim_check(record->offset < RECORDS_MAX, "too many records");
	if (*next < 0)
		check_begin(member, part, record, member->start[t][record->partition]);
	else
		sim_check(record->offset == *next, "%s: %s is handed %s-%d %lld after %lld",
			  group->name, member->owner, record->topic, record->partition,
			  (long long)record->offset, (long long)*next - 1);
	*next = record->offset + 1;
	part->delivered[record->offset] = true;
	while (part->n_delivered < RECORDS_MAX && part->delivered[part->n_delivered])
		part->n_delivered++;
	sim_model_consumed(group->model, record->topic, record->partition, record->offset,
			   record->key, record->value);
}

/* --- commits --------------------------------------------------------------------------------- */

static void attempt(struct member *member, int t, int32_t p, int64_t offset)
{
	struct part *part = &member->group->parts[t][p];

	if (part->n_attempts > 0 && part->attempts[part->n_attempts - 1] == offset)
		return;
	sim_check(part->n_attempts < ATTEMPTS_MAX, "too many commits");
	part->attempts[part->n_attempts++] = offset;
}

/* All positions are about to be committed. */
static void attempt_all(struct member *member)
{
	for (int t = 0; t < TOPICS_MAX; t++)
		for (int32_t p = 0; p < PARTITIONS_MAX; p++)
			if (member->owned[t][p] && member->next[t][p] >= 0)
				attempt(member, t, p, member->next[t][p]);
}

static void acknowledged(struct member *member, const char *topic, int32_t partition,
			 int64_t offset)
{
	struct part *part = part_of(member->group, topic, partition);

	sim_check(offset <= part->n_delivered, "%s: %s commits %s-%d at %lld, beyond %lld",
		  member->group->name, member->owner, topic, partition, (long long)offset,
		  (long long)part->n_delivered);
	part->floor = MQ_MAX(part->floor, offset);
}

static void on_commit(void *arg, mq_consumer *consumer, const mq_offset *offsets, size_t n,
		      mq_err err, const char *text)
{
	struct member *member = arg;

	(void)consumer;
	sim_trace("%s: commit of %zu: %d %s", member->owner, n, (int)err, text ? text : "");
	for (size_t i = 0; i < n && err == MQ_OK; i++)
		acknowledged(member, offsets[i].topic, offsets[i].partition, offsets[i].offset);
}

static void commit_positions(struct member *member)
{
	struct sim_group *group = member->group;
	int64_t positions[TOPICS_MAX][PARTITIONS_MAX];
	mq_error error = {0};
	mq_err err;

	attempt_all(member);
	memcpy(positions, member->next, sizeof(positions));
	for (int t = 0; t < TOPICS_MAX; t++)
		for (int32_t p = 0; p < PARTITIONS_MAX; p++)
			if (!member->owned[t][p])
				positions[t][p] = -1;
	err = mq_consumer_commit_sync(member->consumer, NULL, 0, 1 + (int)sim_below(10000), &error);
	sim_trace("%s: commit: %d %s", member->owner, (int)err, err ? error.text : "");
	for (int t = 0; t < TOPICS_MAX && err == MQ_OK; t++)
		for (int32_t p = 0; p < PARTITIONS_MAX; p++)
			if (positions[t][p] >= 0)
				acknowledged(member, group->topics[t], p, positions[t][p]);
}

/* Of one record, by its offset. */
static void commit_record(struct member *member, const mq_received *record)
{
	mq_offset offset = {
	    .topic = record->topic, .partition = record->partition, .offset = record->offset + 1};
	mq_error error = {0};
	mq_err err;

	attempt(member, topic_of(member->group, record->topic), record->partition, offset.offset);
	err = mq_consumer_commit_sync(member->consumer, &offset, 1, 5000, &error);
	sim_trace("%s: commit of %s-%d %lld: %d %s", member->owner, record->topic,
		  record->partition, (long long)offset.offset, (int)err, err ? error.text : "");
	if (err == MQ_OK)
		acknowledged(member, record->topic, record->partition, offset.offset);
}

static void commit(struct member *member, const mq_received *last)
{
	mq_error error = {0};

	switch (member->commits) {
	case COMMIT_SYNC:
		commit_positions(member);
		break;
	case COMMIT_ASYNC:
		attempt_all(member);
		if (mq_consumer_commit_async(member->consumer, NULL, 0, on_commit, member,
					     &error) != MQ_OK)
			sim_trace("%s: commit: %s", member->owner, error.text);
		break;
	case COMMIT_RECORDS:
		if (last)
			commit_record(member, last);
		break;
	default:
		break;
	}
}

/* --- rebalancing ------------------------------------------------------------------------------ */

static void on_assigned(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
			size_t n)
{
	struct member *member = arg;
	struct sim_group *group = member->group;
	const mq_group_metadata *metadata;
	const mq_topic_partitions *all;
	mq_error error = {0};

	sim_check(mq_consumer_group_metadata(consumer, &metadata, &error) == MQ_OK, "%s",
		  error.text);
	sim_check(mq_consumer_assignment(consumer, &all, &error) == MQ_OK, "%s", error.text);
	sim_trace("%s: assigned %zu, has %zu, in generation %d", member->owner, n, all->n,
		  metadata->generation);
	group->n_assigned++;
	for (size_t i = 0; i < n; i++) {
		int t = topic_of(group, partitions[i].topic);
		int32_t p = partitions[i].partition;

		sim_check(!member->owned[t][p], "%s: %s gets %s-%d, which it has", group->name,
			  member->owner, partitions[i].topic, p);
		sim_trace("%s: gets %s-%d", member->owner, partitions[i].topic, p);
		member->owned[t][p] = true;
		member->next[t][p] = -1;
		member->start[t][p] = group->parts[t][p].floor;
	}
	for (size_t i = 0; i < all->n; i++) {
		const mq_topic_partition *tp = &all->items[i];

		sim_check(member->owned[topic_of(group, tp->topic)][tp->partition],
			  "%s: %s has %s-%d and was not told", group->name, member->owner,
			  tp->topic, tp->partition);
		take_over(member, part_of(group, tp->topic, tp->partition), tp,
			  metadata->generation);
	}
	mq_consumer_result_free(metadata);
	mq_consumer_result_free(all);
}

static void give_up(struct member *member, const char *how, const mq_topic_partition *partitions,
		    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int t = topic_of(member->group, partitions[i].topic);
		int32_t p = partitions[i].partition;

		sim_trace("%s: %s %s-%d", member->owner, how, partitions[i].topic, p);
		sim_check(member->owned[t][p], "%s: %s loses %s-%d, which it has not",
			  member->group->name, member->owner, partitions[i].topic, p);
		member->owned[t][p] = false;
	}
}

static void on_revoked(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
		       size_t n)
{
	struct member *member = arg;

	(void)consumer;
	if (member->commits != COMMIT_AUTO && sim_chance(500))
		commit_positions(member);
	give_up(member, "gives", partitions, n);
}

static void on_lost(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
		    size_t n)
{
	(void)consumer;
	give_up(arg, "loses", partitions, n);
}

/* --- the life of a member ------------------------------------------------------------------------
 */

static void poll_once(struct member *member)
{
	mq_error error = {0};
	mq_records *records;
	const mq_received *record, *last = NULL;

	records = mq_consumer_poll(member->consumer, (int)sim_below(1500), &error);
	if (error.code != MQ_OK)
		sim_trace("%s: poll: %s", member->owner, error.text);
	while ((record = mq_records_next(records))) {
		/* A process that is dead for the others is dead. */
		deliver(member, record);
		last = record;
	}
	if (last)
		sim_trace("%s: has read up to %s-%d %lld", member->owner, last->topic,
			  last->partition, (long long)last->offset);
	/* What automatic commits may bring up to here. */
	attempt_all(member);
	if (last && sim_chance(400))
		commit(member, last);
}

static void be_cut_off(struct member *member)
{
	int64_t us = sim_time(2 * member->session_us) + member->session_us / 4;

	sim_trace("%s: is cut off", member->owner);
	sim_net_isolate(member, true);
	for (int64_t until = sim_now() + us; sim_now() < until;) {
		poll_once(member);
		sim_sleep(1 + sim_time(SIM_SEC));
	}
	if (sim_chance(500)) {
		sim_trace("%s: is back", member->owner);
		sim_net_isolate(member, false);
	} else {
		member->cut_off = true;
	}
}

/* Polls until this life ends, one way or another. */
static void read_on(struct member *member)
{
	struct sim_group *group = member->group;

	while (!group->done && !member->cut_off) {
		poll_once(member);
		if (group->healed)
			continue;
		if (sim_chance(5))
			be_cut_off(member);
		if (sim_chance(10))
			sim_sleep(sim_time(member->stall_us));
		if (sim_chance(8))
			return;
		if (sim_chance(3))
			(void)mq_consumer_enforce_rebalance(member->consumer, "a whim", NULL);
	}
}

static void live(struct member *member)
{
	struct sim_group *group = member->group;
	const mq_rebalance_listener listener = {.arg = member,
						.on_revoked = on_revoked,
						.on_assigned = on_assigned,
						.on_lost = on_lost};
	mq_conf *conf = sim_conf_make(&member->conf, MQ_ROLE_CONSUMER);
	mq_error error = {0};
	mq_err err;

	member->life++;
	if (!member->is_static)
		snprintf(member->owner, sizeof(member->owner), "%s.%d.%u", group->name,
			 member->index, member->life);
	memset(member->owned, 0, sizeof(member->owned));
	member->cut_off = false;
	member->consumer = mq_consumer_new(conf, &error);
	sim_check(member->consumer, "no consumer: %s", error.text);
	mq_conf_free(conf);
	sim_trace("%s: begins", member->owner);
	sim_check(mq_consumer_subscribe(member->consumer, group->topics,
					(size_t)group->swarm->n_topics, &listener, &error) == MQ_OK,
		  "%s", error.text);
	read_on(member);
	if (group->done && member->commits != COMMIT_AUTO)
		commit_positions(member);
	err = mq_consumer_close(member->consumer, member->cut_off ? 500 : 5000, &error);
	sim_trace("%s: closed: %d %s", member->owner, (int)err, err ? error.text : "");
	mq_consumer_free(member->consumer);
	if (member->cut_off)
		sim_net_isolate(member, false);
}

static void run_member(void *arg)
{
	struct member *member = arg;
	struct sim_group *group = member->group;

	sim_set_process(member);
	sim_sleep(sim_time(group->swarm->chaos_us / 2));
	while (!group->done) {
		live(member);
		if (!group->healed)
			sim_sleep(sim_time(5 * SIM_SEC));
	}
	group->n_open--;
	sim_wake_all(group);
}

/* --- drawing
 * ------------------------------------------------------------------------------------------ */

static void draw_member(struct member *member, const char *strategy, bool is_static)
{
	static const char *const isolation[] = {"read_uncommitted", "read_committed"};
	struct sim_group *group = member->group;
	struct sim_conf *conf = &member->conf;
	int session_ms = 1000 + (int)sim_below(6000);
	int interval_ms = sim_chance(500) ? 300000 : 4000 + (int)sim_below(8000);

	member->commits = (enum commits)sim_below(N_COMMITS);
	member->is_static = is_static;
	member->session_us = session_ms * SIM_MS;
	member->poll_interval_us = interval_ms * SIM_MS;
	member->stall_us = sim_chance(500) ? 2 * SIM_SEC : 20 * SIM_SEC;
	sim_conf_add(conf, "bootstrap.servers", "%s:%d", SIM_HOST, SIM_PORT);
	sim_conf_add(conf, "group.id", "%s", group->name);
	sim_conf_add(conf, "auto.offset.reset", "earliest");
	sim_conf_add(conf, "partition.assignment.strategy", "%s", strategy);
	sim_conf_add(conf, "session.timeout.ms", "%d", session_ms);
	sim_conf_add(conf, "heartbeat.interval.ms", "%d", session_ms / (2 + (int)sim_below(5)));
	sim_conf_add(conf, "max.poll.interval.ms", "%d", interval_ms);
	sim_conf_add(conf, "enable.auto.commit", "%s",
		     member->commits == COMMIT_AUTO ? "true" : "false");
	sim_conf_add(conf, "auto.commit.interval.ms", "%d", (int)sim_below(3000));
	sim_conf_add(conf, "isolation.level", "%s", isolation[sim_below(2)]);
	sim_conf_add(conf, "metadata.max.age.ms", "%d", 500 + (int)sim_below(4000));
	if (sim_chance(600))
		sim_conf_add(conf, "request.timeout.ms", "%d", 500 + (int)sim_below(3000));
	if (sim_chance(500))
		sim_conf_add(conf, "max.poll.records", "%d", 1 + (int)sim_below(20));
	if (sim_chance(300))
		sim_conf_add(conf, "max.partition.fetch.bytes", "%d", 100 + (int)sim_below(5000));
	if (sim_chance(300))
		sim_conf_add(conf, "fetch.max.wait.ms", "%d", (int)sim_below(2000));
	if (sim_chance(200))
		sim_conf_add(conf, "fetch.min.bytes", "%d", (int)sim_below(10000));
	if (is_static) {
		snprintf(member->owner, sizeof(member->owner), "%s-instance-%d", group->name,
			 member->index);
		sim_conf_add(conf, "group.instance.id", "%s", member->owner);
	}
}

static bool is_orderly(const struct sim_faults *f)
{
	return !f->net.spike && !f->net.cut && !f->net.silent && !f->cut && !f->silent;
}

struct sim_group *sim_group_start(struct sim_swarm *swarm, struct sim_model *model,
				  const char *const *topics, const char *name)
{
	static const char *const strategies[] = {"range", "roundrobin", "sticky",
						 "cooperative-sticky", "range,cooperative-sticky"};
	const char *strategy = strategies[sim_below(5)];
	struct sim_group *group = sim_alloc(sizeof(*group));
	bool all_static = sim_chance(200);

	group->swarm = swarm;
	group->model = model;
	group->topics = topics;
	group->orderly = is_orderly(&swarm->faults);
	snprintf(group->name, sizeof(group->name), "%s", name);
	for (int t = 0; t < TOPICS_MAX; t++)
		for (int p = 0; p < PARTITIONS_MAX; p++) {
			group->parts[t][p].floor = -1;
			group->parts[t][p].generation = -1;
		}
	group->n_members = group->n_open = 1 + (int)sim_below(MEMBERS_MAX);
	for (int i = 0; i < group->n_members; i++) {
		group->members[i].group = group;
		group->members[i].index = i;
		draw_member(&group->members[i], strategy, all_static);
		sim_fiber_detach(sim_fiber_start(name, run_member, &group->members[i]));
	}
	return group;
}

/* --- the end
 * ------------------------------------------------------------------------------------------- */

static void ignore(void *arg, const struct mq_batch *batch, const struct mq_record_view *record,
		   int64_t offset)
{
	(void)arg, (void)batch, (void)record, (void)offset;
}

void sim_group_finish(struct sim_group *group, struct sim_broker *broker)
{
	int64_t until_us = sim_now() + PROGRESS_US;

	group->healed = true;
	for (int t = 0; t < group->swarm->n_topics; t++)
		for (int32_t p = 0; p < group->swarm->n_partitions; p++) {
			const struct part *part = &group->parts[t][p];
			int64_t hw = sim_read_log(sim_broker_core(broker), sim_broker_disk(broker),
						  group->topics[t], p, ignore, NULL);

			while (part->n_delivered < hw && sim_now() < until_us)
				sim_sleep(SIM_SEC);
			sim_check(
			    part->n_delivered >= hw,
			    "%s: all is well, and %s-%d has been read up to %lld only, not %lld",
			    group->name, group->topics[t], p, (long long)part->n_delivered,
			    (long long)hw);
		}
	group->done = true;
	while (group->n_open > 0)
		(void)sim_wait(group, INT64_MAX);
}

static void audit_part(const struct sim_group *group, int t, int32_t p, int64_t committed)
{
	const struct part *part = &group->parts[t][p];
	bool attempted = false;

	for (unsigned i = 0; i < part->n_attempts; i++)
		attempted = attempted || part->attempts[i] == committed;
	sim_trace("%s: %s-%d: committed %lld, at least %lld", group->name, group->topics[t], p,
		  (long long)committed, (long long)part->floor);
	sim_check(committed <= part->n_delivered, "%s: %s-%d is committed at %lld, beyond %lld",
		  group->name, group->topics[t], p, (long long)committed,
		  (long long)part->n_delivered);
	sim_check(committed >= part->floor || (attempted && !group->orderly),
		  "%s: %s-%d was committed at %lld and is at %lld", group->name, group->topics[t],
		  p, (long long)part->floor, (long long)committed);
}

void sim_group_audit(struct sim_group *group)
{
	mq_topic_partition all[TOPICS_MAX * PARTITIONS_MAX];
	const mq_offsets *offsets = NULL;
	struct sim_conf settings = {0};
	mq_consumer *consumer;
	mq_error error = {0};
	mq_conf *conf;
	size_t n = 0;

	sim_conf_add(&settings, "bootstrap.servers", "%s:%d", SIM_HOST, SIM_PORT);
	sim_conf_add(&settings, "group.id", "%s", group->name);
	conf = sim_conf_make(&settings, MQ_ROLE_CONSUMER);
	consumer = mq_consumer_new(conf, &error);
	mq_conf_free(conf);
	for (int t = 0; t < group->swarm->n_topics; t++)
		for (int32_t p = 0; p < group->swarm->n_partitions; p++)
			all[n++] = (mq_topic_partition){group->topics[t], p};
	sim_check(mq_consumer_committed(consumer, all, n, 60000, &offsets, &error) == MQ_OK,
		  "%s: the committed offsets cannot be had: %s", group->name, error.text);
	for (size_t i = 0; i < n; i++)
		audit_part(group, topic_of(group, offsets->items[i].topic),
			   offsets->items[i].partition, offsets->items[i].offset);
	mq_consumer_result_free(offsets);
	(void)mq_consumer_close(consumer, 1000, NULL);
	mq_consumer_free(consumer);
}

void sim_group_free(struct sim_group *group)
{
	free(group);
}
