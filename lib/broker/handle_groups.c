/*
 * Consumer groups: the calls that the group coordinator answers, now or later. What it
 * needs of the broker, and what a call that waits there is to the core.
 */
#include "broker/internal.h"
#include "coordinator/groups.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

/* --- a call at the coordinator ------------------------------------------------------------ */

/* In the call's arena. */
struct group_call {
	struct mq_group_call at; /* what the coordinator sees */
	struct mq_wait wait;
	struct mq_task answer;
	struct mq_core *core;
	struct mq_call *call;
	mq_err err;
	bool done;
	/* The group's partition on its way into the transaction, see below. */
	bool joining;
	struct mq_txn_op join;
	struct mq_txn_part part;
};

static void answer(struct mq_task *task)
{
	struct group_call *group_call = mq_container_of(task, struct group_call, answer);

	if (group_call->err)
		mq_core_fail(group_call->call, group_call->err);
	else
		mq_core_answer(group_call->call, group_call->at.response);
}

/* [L] */
static void finish(struct group_call *group_call, mq_err err, struct mq_list *tasks)
{
	group_call->done = true;
	group_call->err = err;
	mq_task_add(tasks, &group_call->answer);
}

static void done(struct mq_group_call *at, mq_err err, struct mq_list *tasks)
{
	struct group_call *group_call = mq_container_of(at, struct group_call, at);

	mq_wait_stop(&group_call->wait);
	finish(group_call, err, tasks);
}

/* The peer has gone, or the core stops. What is being written is finished first. */
static bool end(struct mq_wait *wait, mq_err why, struct mq_list *tasks)
{
	struct group_call *group_call = mq_container_of(wait, struct group_call, wait);

	if (group_call->joining || !mq_groups_forget(&group_call->at, tasks))
		return false;
	finish(group_call, why, tasks);
	return true;
}

/* Kafka tells administrators the host as Java writes addresses. */
static const char *host_text(struct mq_call *call)
{
	struct mq_buf text;
	mq_bytes copy;

	mq_buf_init(&text, 0);
	mq_buf_printf(&text, "/%s", call->peer->host);
	copy = mq_arena_dup(&call->arena, mq_mem(text.data, text.size));
	mq_buf_deinit(&text);
	return copy.data;
}

static void handle(struct mq_core *core, struct mq_call *call, void *response,
		   void (*fn)(struct mq_groups *groups, struct mq_group_call *call,
			      struct mq_list *tasks))
{
	struct group_call *group_call = mq_arena_array(&call->arena, 1, sizeof(*group_call));
	const char *host = host_text(call);
	struct mq_list tasks;

	if (!group_call || !response || !host) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	group_call->at = (struct mq_group_call){
	    .request = call->request,
	    .response = response,
	    .arena = &call->arena,
	    .version = call->api_version,
	    .client_id = call->client_id,
	    .host = host,
	    .done = done,
	};
	group_call->core = core;
	group_call->call = call;
	group_call->answer.run = answer;
	mq_list_init(&group_call->answer.node);
	group_call->wait.end = end;
	mq_core_enter(core, &tasks);
	fn(core->groups, &group_call->at, &tasks);
	if (!group_call->done && mq_wait_start(core, &group_call->wait, call, INT64_MAX) != MQ_OK)
		(void)!end(&group_call->wait, MQ_E_CLOSED, &tasks);
	mq_core_leave(core, &tasks);
}

#define RESPONSE(call, tag) mq_new(&(call)->arena, tag, 1)

void mq_handle_join_group(struct mq_core *core, struct mq_call *call)
{
	handle(core, call, RESPONSE(call, mq_join_group_response), mq_groups_join);
}

void mq_handle_sync_group(struct mq_core *core, struct mq_call *call)
{
	handle(core, call, RESPONSE(call, mq_sync_group_response), mq_groups_sync);
}

void mq_handle_heartbeat(struct mq_core *core, struct mq_call *call)
{
	handle(core, call, RESPONSE(call, mq_heartbeat_response), mq_groups_heartbeat);
}

void mq_handle_leave_group(struct mq_core *core, struct mq_call *call)
{
	handle(core, call, RESPONSE(call, mq_leave_group_response), mq_groups_leave);
}

void mq_handle_offset_commit(struct mq_core *core, struct mq_call *call)
{
	handle(core, call, RESPONSE(call, mq_offset_commit_response), mq_groups_commit);
}

void mq_handle_offset_fetch(struct mq_core *core, struct mq_call *call)
{
	handle(core, call, RESPONSE(call, mq_offset_fetch_response), mq_groups_fetch);
}

void mq_handle_offset_delete(struct mq_core *core, struct mq_call *call)
{
	handle(core, call, RESPONSE(call, mq_offset_delete_response), mq_groups_delete_offsets);
}

/* --- offsets of transactions (KIP-890; see produce_txn.c) ---------------------------------- */

/* From this version on the group's partition joins the transaction. */
#define TXN_OFFSETS_JOIN 5

static mq_err txn_client_err(const struct mq_group_call *at, mq_err err)
{
	if (err == MQ_E_PRODUCER_FENCED)
		return MQ_E_INVALID_PRODUCER_EPOCH;
	return err == MQ_E_TRANSACTION_ABORTABLE && at->version < 4 ? MQ_E_INVALID_TXN_STATE : err;
}

static void txn_commit_checked(struct group_call *group_call, mq_err err, struct mq_list *tasks)
{
	struct mq_groups *groups = group_call->core->groups;

	if (err)
		mq_groups_txn_refuse(groups, &group_call->at, txn_client_err(&group_call->at, err),
				     tasks);
	else
		mq_groups_txn_commit(groups, &group_call->at, tasks);
}

static void joined(struct mq_txn_op *op, mq_err err, struct mq_list *tasks)
{
	struct group_call *group_call = mq_container_of(op, struct group_call, join);

	group_call->joining = false;
	txn_commit_checked(group_call, err, tasks);
}

/* [L] Whether the partition is open to offsets of the transaction already, or has nothing
 * to be open. */
static bool is_settled(const struct mq_core *core, struct group_call *group_call)
{
	const struct mq_txn_offset_commit_request *request = group_call->at.request;
	const mq_bytes name = mq_str("__consumer_offsets");
	const struct mq_topic *topic = mq_map_get(&core->topics, name.data, name.size);
	const struct mq_partition *partition;

	if (!topic)
		return true;
	group_call->part.topic = name;
	group_call->part.partition = mq_coord_partition_of(request->group_id, topic->n_partitions);
	partition = mq_topic_part(topic, group_call->part.partition);
	return mq_partition_check(partition, -1) ||
	       mq_log_in_transaction(partition->log, request->producer_id, request->producer_epoch);
}

static void txn_commit(struct mq_groups *groups, struct mq_group_call *at, struct mq_list *tasks)
{
	struct group_call *group_call = mq_container_of(at, struct group_call, at);
	const struct mq_txn_offset_commit_request *request = at->request;
	struct mq_core *core = group_call->core;
	bool joins = at->version >= TXN_OFFSETS_JOIN;

	(void)groups;
	if ((!joins && !core->settings.verify_transactions) || is_settled(core, group_call)) {
		txn_commit_checked(group_call, MQ_OK, tasks);
		return;
	}
	if (!joins) {
		txn_commit_checked(group_call,
				   mq_txn_verify(core->txns, request->transactional_id,
						 request->producer_id, request->producer_epoch,
						 &group_call->part, tasks),
				   tasks);
		return;
	}
	group_call->joining = true;
	group_call->join.id = request->transactional_id;
	group_call->join.producer_id = request->producer_id;
	group_call->join.epoch = request->producer_epoch;
	group_call->join.done = joined;
	mq_txn_join(core->txns, &group_call->join, &group_call->part, 1, tasks);
}

void mq_handle_txn_offset_commit(struct mq_core *core, struct mq_call *call)
{
	handle(core, call, RESPONSE(call, mq_txn_offset_commit_response), txn_commit);
}

void mq_handle_list_groups(struct mq_core *core, struct mq_call *call)
{
	handle(core, call, RESPONSE(call, mq_list_groups_response), mq_groups_list);
}

void mq_handle_describe_groups(struct mq_core *core, struct mq_call *call)
{
	handle(core, call, RESPONSE(call, mq_describe_groups_response), mq_groups_describe);
}

void mq_handle_delete_groups(struct mq_core *core, struct mq_call *call)
{
	handle(core, call, RESPONSE(call, mq_delete_groups_response), mq_groups_delete);
}

/* --- the coordinator's ------------------------------------------------------------------------ */

/* [L] */
static bool is_known(void *arg, mq_bytes topic, int32_t partition)
{
	const struct mq_core *core = arg;
	const struct mq_topic *found = mq_map_get(&core->topics, topic.data, topic.size);

	return found && mq_topic_part(found, partition);
}

mq_err mq_groups_open(struct mq_core *core)
{
	const struct mq_conf *conf = core->conf;
	struct mq_groups_args args = {
	    .runtime = {.shard = &core->shard,
			.deadlines = &core->deadlines,
			.logger = &core->logger,
			.load_bytes = mq_conf_int(conf, "offsets.load.buffer.size"),
			.isr_min = 1},
	    .conf = {.session_min_ms = mq_conf_int(conf, "group.min.session.timeout.ms"),
		     .session_max_ms = mq_conf_int(conf, "group.max.session.timeout.ms"),
		     .size_max = mq_conf_int(conf, "group.max.size"),
		     .initial_delay_ms = mq_conf_int(conf, "group.initial.rebalance.delay.ms"),
		     .metadata_max = mq_conf_int(conf, "offset.metadata.max.bytes"),
		     .retention_ms = mq_conf_int(conf, "offsets.retention.minutes") * 60000LL,
		     .check_interval_ms = mq_conf_long(conf, "offsets.retention.check.interval.ms"),
		     .commit_timeout_ms = mq_conf_int(conf, "offsets.commit.timeout.ms")},
	    .known = is_known,
	    .arg = core,
	};

	mq_env_random(core->env, &args.seed, sizeof(args.seed));
	core->groups = mq_groups_new(&args);
	return core->groups ? MQ_OK : MQ_E_NOMEM;
}
