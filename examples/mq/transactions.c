/* mq transactions: who has one, how far it is, and ending one that hangs. */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct transactions {
	struct tool tool;
	const char *id, *topic;
	int32_t partition, epoch, coordinator_epoch, minutes;
	int64_t producer_id, start_offset, duration_ms;
	bool partition_given, producer_given, epoch_given, coordinator_given, start_given,
	    duration_given;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- list and describe --------------------------------------------------------------- */

static cJSON *listing_json(const mq_transaction_listing *listing)
{
	cJSON *item = cJSON_CreateObject();

	cJSON_AddStringToObject(item, "transactionalId", listing->id);
	cJSON_AddNumberToObject(item, "coordinator", listing->coordinator);
	cJSON_AddNumberToObject(item, "producerId", (double)listing->producer_id);
	cJSON_AddStringToObject(item, "state", listing->state);
	return item;
}

static int list(struct transactions *t)
{
	cJSON *json = t->tool.json ? cJSON_CreateArray() : NULL;
	mq_transaction_filter filter = {0};
	const mq_transaction_listings *found;
	mq_error error;

	if (t->duration_given)
		filter.duration_ms = mq_int(t->duration_ms);
	if (mq_admin_list_transactions(t->tool.admin, &filter, t->tool.timeout_ms, &found,
				       &error) != MQ_OK) {
		cJSON_Delete(json);
		return fail_error("transactions", &error);
	}
	if (!json)
		printf("%-30s\t%-11s\t%-10s\t%s\n", "TransactionalId", "Coordinator", "ProducerId",
		       "TransactionState");
	for (size_t i = 0; i < found->n; i++) {
		const mq_transaction_listing *item = found->items[i];

		if (json)
			cJSON_AddItemToArray(json, listing_json(item));
		else
			printf("%-30s\t%-11d\t%-10lld\t%s\n", item->id, item->coordinator,
			       (long long)item->producer_id, item->state);
	}
	mq_admin_result_free(found);
	return json ? tool_print_json(&t->tool, json) : EXIT_OK;
}

static cJSON *number_or_null(bool there, int64_t value)
{
	return there ? cJSON_CreateNumber((double)value) : cJSON_CreateNull();
}

static cJSON *info_json(const mq_transaction_info *info)
{
	bool open = info->start_ms >= 0;
	cJSON *json = cJSON_CreateObject(), *partitions = cJSON_CreateArray();

	cJSON_AddStringToObject(json, "transactionalId", info->id);
	cJSON_AddNumberToObject(json, "coordinator", info->coordinator);
	cJSON_AddNumberToObject(json, "producerId", (double)info->producer_id);
	cJSON_AddNumberToObject(json, "producerEpoch", info->producer_epoch);
	cJSON_AddStringToObject(json, "state", info->state);
	cJSON_AddNumberToObject(json, "timeoutMs", info->timeout_ms);
	cJSON_AddItemToObject(json, "startTimestamp", number_or_null(open, info->start_ms));
	cJSON_AddItemToObject(json, "durationMs", number_or_null(open, now_ms() - info->start_ms));
	for (size_t i = 0; i < info->n_partitions; i++) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "topic", info->partitions[i].topic);
		cJSON_AddNumberToObject(item, "partition", info->partitions[i].partition);
		cJSON_AddItemToArray(partitions, item);
	}
	cJSON_AddItemToObject(json, "partitions", partitions);
	return json;
}

static void print_info(const mq_transaction_info *info)
{
	printf("CoordinatorId\tTransactionalId\tProducerId\tProducerEpoch\tTransactionState\t"
	       "TransactionTimeoutMs\tCurrentTransactionStartTimeMs\tTransactionDurationMs\t"
	       "TopicPartitions\n%d\t%s\t%lld\t%d\t%s\t%d\t",
	       info->coordinator, info->id, (long long)info->producer_id, info->producer_epoch,
	       info->state, info->timeout_ms);
	if (info->start_ms >= 0)
		printf("%lld\t%lld\t", (long long)info->start_ms,
		       (long long)(now_ms() - info->start_ms));
	else
		printf("None\tNone\t");
	for (size_t i = 0; i < info->n_partitions; i++)
		printf("%s%s-%d", i ? "," : "", info->partitions[i].topic,
		       info->partitions[i].partition);
	printf("\n");
}

static int describe(struct transactions *t)
{
	const mq_transaction_infos *infos;
	mq_error error;
	int code = EXIT_OK;

	if (mq_admin_describe_transactions(t->tool.admin, &t->id, 1, t->tool.timeout_ms, &infos,
					   &error) != MQ_OK)
		return fail_error("transactions", &error);
	if (infos->items[0]->err == MQ_OK && t->tool.json)
		code = tool_print_json(&t->tool, info_json(infos->items[0]));
	else if (infos->items[0]->err == MQ_OK)
		print_info(infos->items[0]);
	else
		code = fail("transactions", "%s: %s (%s)", t->id, infos->items[0]->text,
			    mq_err_name(infos->items[0]->err));
	mq_admin_result_free(infos);
	return code;
}

/* --- producers of partitions ---------------------------------------------------------- */

/* The producers of one partition; NULL: has been told. */
static const mq_producers_infos *producers(struct transactions *t, const char *topic,
					   int32_t partition)
{
	mq_partition_at at = {.topic = topic, .partition = partition};
	const mq_producers_infos *infos;
	mq_error error;

	if (mq_admin_describe_producers(t->tool.admin, &at, 1, t->tool.timeout_ms, &infos,
					&error) != MQ_OK) {
		fail_error("transactions", &error);
		return NULL;
	}
	if (infos->items[0]->err == MQ_OK)
		return infos;
	fail("transactions", "%s-%d: %s (%s)", topic, partition, infos->items[0]->text,
	     mq_err_name(infos->items[0]->err));
	mq_admin_result_free(infos);
	return NULL;
}

static cJSON *producer_json(const mq_producer_state *p)
{
	cJSON *item = cJSON_CreateObject();

	cJSON_AddNumberToObject(item, "producerId", (double)p->producer_id);
	cJSON_AddNumberToObject(item, "producerEpoch", p->producer_epoch);
	cJSON_AddNumberToObject(item, "coordinatorEpoch", p->coordinator_epoch);
	cJSON_AddNumberToObject(item, "lastSequence", p->last_sequence);
	cJSON_AddNumberToObject(item, "lastTimestamp", (double)p->last_timestamp);
	cJSON_AddItemToObject(item, "transactionStartOffset",
			      number_or_null(p->txn_start_offset >= 0, p->txn_start_offset));
	return item;
}

static void print_producer(const mq_producer_state *p)
{
	printf("%lld\t%d\t%d\t%d\t%lld\t", (long long)p->producer_id, p->producer_epoch,
	       p->coordinator_epoch, p->last_sequence, (long long)p->last_timestamp);
	if (p->txn_start_offset >= 0)
		printf("%lld\n", (long long)p->txn_start_offset);
	else
		printf("None\n");
}

static int describe_producers(struct transactions *t)
{
	const mq_producers_infos *infos = producers(t, t->topic, t->partition);
	cJSON *json = t->tool.json ? cJSON_CreateArray() : NULL;

	if (!infos) {
		cJSON_Delete(json);
		return EXIT_FAILED;
	}
	if (!json)
		printf("ProducerId\tProducerEpoch\tLatestCoordinatorEpoch\tLastSequence\tLastTimest"
		       "amp\t"
		       "CurrentTransactionStartOffset\n");
	for (size_t i = 0; i < infos->items[0]->n_producers; i++) {
		const mq_producer_state *p = infos->items[0]->producers[i];

		if (json)
			cJSON_AddItemToArray(json, producer_json(p));
		else
			print_producer(p);
	}
	mq_admin_result_free(infos);
	return json ? tool_print_json(&t->tool, json) : EXIT_OK;
}

/* --- abort ------------------------------------------------------------------------------ */

/* The transaction that begins at the offset. */
static int find_started(struct transactions *t, mq_hanging_transaction *txn)
{
	const mq_producers_infos *infos = producers(t, t->topic, t->partition);
	int code = EXIT_FAILED;

	if (!infos)
		return EXIT_FAILED;
	for (size_t i = 0; i < infos->items[0]->n_producers; i++) {
		const mq_producer_state *p = infos->items[0]->producers[i];

		if (p->txn_start_offset != t->start_offset)
			continue;
		txn->producer_id = p->producer_id;
		txn->producer_epoch = p->producer_epoch;
		txn->coordinator_epoch = p->coordinator_epoch;
		code = -1;
	}
	if (code != -1)
		fail("transactions", "no open transaction of %s-%d begins at offset %lld", t->topic,
		     t->partition, (long long)t->start_offset);
	mq_admin_result_free(infos);
	return code;
}

static int abort_one(struct transactions *t)
{
	mq_hanging_transaction txn = {.topic = t->topic,
				      .partition = t->partition,
				      .producer_id = t->producer_id,
				      .producer_epoch = t->epoch,
				      .coordinator_epoch = t->coordinator_epoch};
	mq_error error;
	int code = t->start_given ? find_started(t, &txn) : -1;

	if (code != -1)
		return code;
	if (mq_admin_abort_transaction(t->tool.admin, &txn, t->tool.timeout_ms, &error) != MQ_OK)
		return fail_error("transactions", &error);
	return EXIT_OK;
}

/* --- find-hanging ------------------------------------------------------------------------ */

/* Whether the coordinator of the producer has the partition in a transaction. 1, 0, or
 * -1: has been told. */
static int is_coordinated(struct transactions *t, const mq_producer_state *p, const char *topic,
			  int32_t partition)
{
	mq_transaction_filter filter = {.producer_ids = &p->producer_id, .n_producer_ids = 1};
	const mq_transaction_listings *listings = NULL;
	const mq_transaction_infos *infos = NULL;
	mq_error error;
	int found = 0;

	if (mq_admin_list_transactions(t->tool.admin, &filter, t->tool.timeout_ms, &listings,
				       &error) != MQ_OK) {
		fail_error("transactions", &error);
		return -1;
	}
	if (listings->n == 1 &&
	    mq_admin_describe_transactions(t->tool.admin, &listings->items[0]->id, 1,
					   t->tool.timeout_ms, &infos, &error) != MQ_OK) {
		fail_error("transactions", &error);
		found = -1;
	}
	for (size_t i = 0; infos && i < infos->items[0]->n_partitions; i++)
		if (infos->items[0]->partitions[i].partition == partition &&
		    strcmp(infos->items[0]->partitions[i].topic, topic) == 0)
			found = 1;
	mq_admin_result_free(infos);
	mq_admin_result_free(listings);
	return found;
}

static cJSON *hanging_json(const char *topic, int32_t partition, const mq_producer_state *p,
			   int64_t minutes)
{
	cJSON *item = cJSON_CreateObject();

	cJSON_AddStringToObject(item, "topic", topic);
	cJSON_AddNumberToObject(item, "partition", partition);
	cJSON_AddNumberToObject(item, "producerId", (double)p->producer_id);
	cJSON_AddNumberToObject(item, "producerEpoch", p->producer_epoch);
	cJSON_AddNumberToObject(item, "coordinatorEpoch", p->coordinator_epoch);
	cJSON_AddNumberToObject(item, "startOffset", (double)p->txn_start_offset);
	cJSON_AddNumberToObject(item, "lastTimestamp", (double)p->last_timestamp);
	cJSON_AddNumberToObject(item, "durationMinutes", (double)minutes);
	return item;
}

/* Adds what hangs to json, or prints it where that is NULL. */
static int look_at(struct transactions *t, const char *topic, int32_t partition, cJSON *json)
{
	const mq_producers_infos *infos = producers(t, topic, partition);
	int64_t now = now_ms();
	int code = infos ? EXIT_OK : EXIT_FAILED;

	for (size_t i = 0; infos && i < infos->items[0]->n_producers; i++) {
		const mq_producer_state *p = infos->items[0]->producers[i];
		int64_t minutes = (now - p->last_timestamp) / 60000;
		int coordinated = 1;

		if (p->txn_start_offset >= 0 &&
		    now - p->last_timestamp > (int64_t)t->minutes * 60000)
			coordinated = is_coordinated(t, p, topic, partition);
		if (coordinated < 0)
			code = EXIT_FAILED;
		if (coordinated == 0 && json)
			cJSON_AddItemToArray(json, hanging_json(topic, partition, p, minutes));
		else if (coordinated == 0)
			printf("%s\t%d\t%lld\t%d\t%d\t%lld\t%lld\t%lld\n", topic, partition,
			       (long long)p->producer_id, p->producer_epoch, p->coordinator_epoch,
			       (long long)p->txn_start_offset, (long long)p->last_timestamp,
			       (long long)minutes);
	}
	mq_admin_result_free(infos);
	return code;
}

static int find_hanging(struct transactions *t)
{
	cJSON *json;
	const mq_topic_infos *topics;
	int code = EXIT_OK;
	mq_error error;
	mq_err err;

	if (t->topic)
		err = mq_admin_describe_topics(t->tool.admin, &t->topic, 1, t->tool.timeout_ms,
					       &topics, &error);
	else
		err = mq_admin_list_topics(t->tool.admin, t->tool.timeout_ms, &topics, &error);
	if (err != MQ_OK)
		return fail_error("transactions", &error);
	json = t->tool.json ? cJSON_CreateArray() : NULL;
	if (!json)
		printf(
		    "Topic\tPartition\tProducerId\tProducerEpoch\tCoordinatorEpoch\tStartOffset\t"
		    "LastTimestamp\tDuration(min)\n");
	for (size_t i = 0; i < topics->n; i++) {
		const mq_topic_info *topic = topics->items[i];

		if (topic->err != MQ_OK)
			code = fail("transactions", "%s: %s (%s)", topic->name,
				    mq_err_text(topic->err), mq_err_name(topic->err));
		for (size_t p = 0; topic->err == MQ_OK && p < topic->n_partitions; p++) {
			int32_t index = topic->partitions[p]->partition;

			if (t->partition_given && index != t->partition)
				continue;
			if (look_at(t, topic->name, index, json) != EXIT_OK)
				code = EXIT_FAILED;
		}
	}
	mq_admin_result_free(topics);
	if (json && tool_print_json(&t->tool, json) != EXIT_OK)
		code = EXIT_FAILED;
	return code;
}

/* --- the command -------------------------------------------------------------------------- */

static const struct action {
	const char *name;
	int (*run)(struct transactions *t);
} actions[] = {
    {"list", list},
    {"describe", describe},
    {"describe-producers", describe_producers},
    {"abort", abort_one},
    {"find-hanging", find_hanging},
};

/* What is missing for the action; NULL: nothing. */
static const char *missing(const struct transactions *t, const struct action *action)
{
	bool exact = t->producer_given && t->epoch_given && t->coordinator_given;

	if (action->run == describe && !t->id)
		return "--transactional-id";
	if ((action->run == describe_producers || action->run == abort_one) &&
	    (!t->topic || !t->partition_given))
		return t->topic ? "--partition" : "--topic";
	if (action->run == abort_one && !t->start_given && !exact)
		return "--start-offset (or --producer-id, --producer-epoch and "
		       "--coordinator-epoch)";
	if (action->run == find_hanging && t->partition_given && !t->topic)
		return "--topic";
	return NULL;
}

static int run(struct transactions *t, const struct opt_set *set)
{
	const struct action *action = NULL;
	int code;

	for (size_t i = 0; set->rest->n == 1 && i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(set->rest->items[0], actions[i].name) == 0)
			action = &actions[i];
	if (!action)
		return opt_mistake(set, "one of list, describe, describe-producers, abort and "
					"find-hanging is needed");
	if (missing(t, action))
		return opt_mistake(set, "%s is missing", missing(t, action));
	code = tool_open(&t->tool);
	if (code == -1)
		code = action->run(t);
	tool_close(&t->tool);
	return code;
}

int cmd_transactions(int argc, char **argv)
{
	struct transactions t = {.tool = {.command = "transactions"}, .minutes = 15};
	struct opt_list rest = {0};
	const struct opt opts[] = {
	    {"transactional-id", OPT_STRING, &t.id, "ID", "whose transaction: of describe", NULL},
	    {"topic", OPT_STRING, &t.topic, "TOPIC",
	     "of describe-producers and abort; the only one to look at of find-hanging", NULL},
	    {"partition", OPT_INT, &t.partition, "NUMBER", "the same", &t.partition_given},
	    {"start-offset", OPT_LONG, &t.start_offset, "OFFSET",
	     "where the transaction to be aborted begins", &t.start_given},
	    {"producer-id", OPT_LONG, &t.producer_id, "ID",
	     "of the transaction to be aborted, with the next two, instead of --start-offset",
	     &t.producer_given},
	    {"producer-epoch", OPT_INT, &t.epoch, "EPOCH", "as describe-producers tells it",
	     &t.epoch_given},
	    {"coordinator-epoch", OPT_INT, &t.coordinator_epoch, "EPOCH", "the same",
	     &t.coordinator_given},
	    {"duration-filter", OPT_LONG, &t.duration_ms, "MS",
	     "list only transactions that are open for longer", &t.duration_given},
	    {"max-transaction-timeout", OPT_INT, &t.minutes, "MINUTES",
	     "what hangs is older than this; 15 if left out", NULL},
	    TOOL_JSON(t.tool),
	    TOOL_OPTIONS(t.tool),
	    {NULL, OPT_FLAG, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    .command = "transactions",
	    .synopsis = "list|describe|describe-producers|abort|find-hanging [OPTION...]",
	    .about = "Tells of transactions, and ends those that nobody else will end.",
	    .example = "  mq transactions list\n"
		       "  mq transactions describe --transactional-id payments-1\n"
		       "  mq transactions find-hanging\n"
		       "  mq transactions abort --topic first --partition 0 --start-offset 4711",
	    .opts = opts,
	    .rest = &rest,
	};
	int code = opt_parse(&set, argc, argv);

	if (code == -1)
		code = run(&t, &set);
	opt_list_free(&rest);
	return code;
}
