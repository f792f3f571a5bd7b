/* Offsets, deleting records, and the producers partitions know: what only the
 * leader of a partition can answer. */
#include <string.h>

#include "admin/admin.h"
#include "base/err.h"
#include "base/mem.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/messages/list_offsets.h"

/* How many items from i on are of the same topic. */
static size_t run_of_topic(struct mq_fan_item *const *items, size_t i, size_t n)
{
	size_t end = i + 1;

	while (end < n && strcmp(items[end]->at.topic, items[i]->at.topic) == 0)
		end++;
	return end - i;
}

static size_t count_topics(struct mq_fan_item *const *items, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i += run_of_topic(items, i, n))
		count++;
	return count;
}

/* --- results of offsets ---------------------------------------------------------- */

static mq_offset_infos *offset_infos_new(const mq_partition_at *parts, size_t n)
{
	mq_offset_infos *infos = mq_result_new(sizeof(*infos));
	void **items = infos ? mq_result_items(infos, n, sizeof(mq_offset_info)) : NULL;

	if (!items) {
		mq_result_free(infos);
		return NULL;
	}
	infos->items = (const mq_offset_info *const *)items;
	for (size_t i = 0; i < n; i++) {
		mq_offset_info *info = items[i];

		info->topic = mq_result_str(infos, mq_str(parts[i].topic));
		info->partition = parts[i].partition;
		info->offset = info->timestamp = info->leader_epoch = -1;
		if (!info->topic) {
			mq_result_free(infos);
			return NULL;
		}
		infos->n++;
	}
	return infos;
}

/* Runs a fan whose items have the infos as results, and finishes those. */
static mq_err run_offsets(struct mq_fan *fan, struct mq_admin *admin, const mq_partition_at *parts,
			  size_t n, int timeout_ms, const mq_offset_infos **out, mq_error *error)
{
	mq_offset_infos *infos = offset_infos_new(parts, n);
	mq_err err;

	if (!infos)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	fan->arg = infos;
	err = mq_fan_run(fan, admin, parts, n, timeout_ms, error);
	for (size_t i = 0; i < n && err == MQ_OK; i++) {
		mq_offset_info *info = (mq_offset_info *)(uintptr_t)infos->items[i];

		info->err = fan->items[i].err;
		info->text = mq_result_text(infos, info->err, mq_str(fan->items[i].text));
		if (!info->text)
			err = mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	mq_fan_deinit(fan);
	if (err == MQ_OK)
		*out = infos;
	else
		mq_result_free(infos);
	return err;
}

static mq_offset_info *info_of(const struct mq_fan *fan, const struct mq_fan_item *item)
{
	const mq_offset_infos *infos = fan->arg;

	return (mq_offset_info *)(uintptr_t)infos->items[item - fan->items];
}

/* --- list offsets ------------------------------------------------------------------ */

struct list_fan {
	struct mq_fan fan;
	bool committed_only;
};

/* The oldest versions for what is asked (KIP-734, KIP-98, KIP-79). */
#define VERSION_MAX_TIMESTAMP 7
#define VERSION_ISOLATION     2
#define VERSION_ONE_OFFSET    1

static mq_err prepare_list(struct mq_request *req, int16_t version)
{
	const struct mq_list_offsets_request *request = req->call.request;

	if (version < VERSION_ONE_OFFSET ||
	    (request->isolation_level && version < VERSION_ISOLATION))
		return MQ_E_UNSUPPORTED;
	for (int32_t i = 0; i < request->n_topics && version < VERSION_MAX_TIMESTAMP; i++)
		for (int32_t j = 0; j < request->topics[i].n_partitions; j++)
			if (request->topics[i].partitions[j].timestamp == MQ_OFFSET_MAX_TIMESTAMP)
				return MQ_E_UNSUPPORTED;
	return MQ_OK;
}

static mq_err build_list(struct mq_fan *fan, struct mq_ask *ask, struct mq_fan_item **items,
			 size_t n)
{
	struct mq_arena *arena = &fan->call.arena;
	struct mq_list_offsets_request *request = ask->req.call.request;
	struct list_fan *list = mq_container_of(fan, struct list_fan, fan);

	request->replica_id = -1;
	request->isolation_level = list->committed_only;
	request->topics = mq_new(arena, mq_list_offsets_request_topic, count_topics(items, n));
	if (!request->topics)
		return mq_adm_nomem(&fan->call);
	for (size_t i = 0, run; i < n; i += run) {
		struct mq_list_offsets_request_topic *t = &request->topics[request->n_topics++];

		run = run_of_topic(items, i, n);
		t->name = mq_str(items[i]->at.topic);
		t->partitions = mq_new(arena, mq_list_offsets_request_partition, run);
		if (!t->partitions)
			return mq_adm_nomem(&fan->call);
		t->n_partitions = (int32_t)run;
		for (size_t j = 0; j < run; j++) {
			t->partitions[j].partition_index = items[i + j]->at.partition;
			t->partitions[j].current_leader_epoch = items[i + j]->leader_epoch;
			t->partitions[j].timestamp = items[i + j]->at.at;
		}
	}
	ask->req.prepare = prepare_list;
	return MQ_OK;
}

static mq_err read_list(struct mq_fan *fan, const struct mq_ask *ask)
{
	const struct mq_list_offsets_response *response = ask->req.call.response;

	for (int32_t i = 0; i < response->n_topics; i++) {
		const struct mq_list_offsets_response_topic *t = &response->topics[i];

		for (int32_t j = 0; j < t->n_partitions; j++) {
			const struct mq_list_offsets_response_partition *p = &t->partitions[j];
			struct mq_fan_item *item = mq_fan_find(fan, t->name, p->partition_index);

			if (!item)
				continue;
			mq_fan_settle(item, p->error_code);
			info_of(fan, item)->offset = p->offset;
			info_of(fan, item)->timestamp = p->timestamp;
			info_of(fan, item)->leader_epoch = p->leader_epoch;
		}
	}
	return MQ_OK;
}

mq_err mq_adm_list_offsets(struct mq_admin *admin, const mq_partition_at *partitions, size_t n,
			   bool committed_only, int timeout_ms, const mq_offset_infos **out,
			   mq_error *error)
{
	struct list_fan list = {
	    .fan = {.api_key = MQ_API_LIST_OFFSETS,
		    .message = &mq_list_offsets_request_message,
		    .build = build_list,
		    .read = read_list},
	    .committed_only = committed_only,
	};

	return run_offsets(&list.fan, admin, partitions, n, timeout_ms, out, error);
}

/* --- delete records ------------------------------------------------------------------ */

static mq_err build_delete(struct mq_fan *fan, struct mq_ask *ask, struct mq_fan_item **items,
			   size_t n)
{
	struct mq_arena *arena = &fan->call.arena;
	struct mq_delete_records_request *request = ask->req.call.request;

	request->timeout_ms = fan->call.broker_timeout_ms;
	request->topics = mq_new(arena, mq_delete_records_request_topic, count_topics(items, n));
	if (!request->topics)
		return mq_adm_nomem(&fan->call);
	for (size_t i = 0, run; i < n; i += run) {
		struct mq_delete_records_request_topic *t = &request->topics[request->n_topics++];

		run = run_of_topic(items, i, n);
		t->name = mq_str(items[i]->at.topic);
		t->partitions = mq_new(arena, mq_delete_records_request_partition, run);
		if (!t->partitions)
			return mq_adm_nomem(&fan->call);
		t->n_partitions = (int32_t)run;
		for (size_t j = 0; j < run; j++) {
			t->partitions[j].partition_index = items[i + j]->at.partition;
			t->partitions[j].offset = items[i + j]->at.at;
		}
	}
	return MQ_OK;
}

static mq_err read_delete(struct mq_fan *fan, const struct mq_ask *ask)
{
	const struct mq_delete_records_response *response = ask->req.call.response;

	for (int32_t i = 0; i < response->n_topics; i++) {
		const struct mq_delete_records_response_topic *t = &response->topics[i];

		for (int32_t j = 0; j < t->n_partitions; j++) {
			const struct mq_delete_records_response_partition *p = &t->partitions[j];
			struct mq_fan_item *item = mq_fan_find(fan, t->name, p->partition_index);

			if (!item)
				continue;
			mq_fan_settle(item, p->error_code);
			info_of(fan, item)->offset = p->low_watermark;
		}
	}
	return MQ_OK;
}

mq_err mq_adm_delete_records(struct mq_admin *admin, const mq_partition_at *partitions, size_t n,
			     int timeout_ms, const mq_offset_infos **out, mq_error *error)
{
	struct mq_fan fan = {.api_key = MQ_API_DELETE_RECORDS,
			     .message = &mq_delete_records_request_message,
			     .build = build_delete,
			     .read = read_delete};

	return run_offsets(&fan, admin, partitions, n, timeout_ms, out, error);
}

/* --- producers ------------------------------------------------------------------------ */

static mq_err build_producers(struct mq_fan *fan, struct mq_ask *ask, struct mq_fan_item **items,
			      size_t n)
{
	struct mq_arena *arena = &fan->call.arena;
	struct mq_describe_producers_request *request = ask->req.call.request;

	request->topics =
	    mq_new(arena, mq_describe_producers_request_topic, count_topics(items, n));
	if (!request->topics)
		return mq_adm_nomem(&fan->call);
	for (size_t i = 0, run; i < n; i += run) {
		struct mq_describe_producers_request_topic *t =
		    &request->topics[request->n_topics++];

		run = run_of_topic(items, i, n);
		t->name = mq_str(items[i]->at.topic);
		t->partition_indexes = mq_arena_array(arena, run, sizeof(*t->partition_indexes));
		if (!t->partition_indexes)
			return mq_adm_nomem(&fan->call);
		t->n_partition_indexes = (int32_t)run;
		for (size_t j = 0; j < run; j++)
			t->partition_indexes[j] = items[i + j]->at.partition;
	}
	return MQ_OK;
}

static bool fill_producers(const void *result,
			   const struct mq_describe_producers_response_partition *from,
			   mq_producers_info *to)
{
	void **items = mq_result_items(result, (size_t)MQ_MAX(from->n_active_producers, 0),
				       sizeof(mq_producer_state));

	if (!items)
		return false;
	to->producers = (const mq_producer_state *const *)items;
	for (int32_t i = 0; i < from->n_active_producers; i++) {
		const struct mq_describe_producers_response_active_producer *p =
		    &from->active_producers[i];
		mq_producer_state *state = items[i];

		state->producer_id = p->producer_id;
		state->producer_epoch = p->producer_epoch;
		state->last_sequence = p->last_sequence;
		state->last_timestamp = p->last_timestamp;
		state->coordinator_epoch = p->coordinator_epoch;
		state->txn_start_offset = p->current_txn_start_offset;
		to->n_producers++;
	}
	return true;
}

static mq_err read_producers(struct mq_fan *fan, const struct mq_ask *ask)
{
	const struct mq_describe_producers_response *response = ask->req.call.response;
	const mq_producers_infos *infos = fan->arg;

	for (int32_t i = 0; i < response->n_topics; i++) {
		const struct mq_describe_producers_response_topic *t = &response->topics[i];

		for (int32_t j = 0; j < t->n_partitions; j++) {
			const struct mq_describe_producers_response_partition *p =
			    &t->partitions[j];
			struct mq_fan_item *item = mq_fan_find(fan, t->name, p->partition_index);
			mq_producers_info *info;

			if (!item)
				continue;
			mq_fan_settle(item, p->error_code);
			info = (mq_producers_info *)(uintptr_t)infos->items[item - fan->items];
			info->n_producers = 0;
			if (!fill_producers(infos, p, info))
				return mq_adm_nomem(&fan->call);
		}
	}
	return MQ_OK;
}

mq_err mq_adm_describe_producers(struct mq_admin *admin, const mq_partition_at *partitions,
				 size_t n, int timeout_ms, const mq_producers_infos **out,
				 mq_error *error)
{
	struct mq_fan fan = {.api_key = MQ_API_DESCRIBE_PRODUCERS,
			     .message = &mq_describe_producers_request_message,
			     .build = build_producers,
			     .read = read_producers};
	mq_producers_infos *infos = mq_result_new(sizeof(*infos));
	void **items = infos ? mq_result_items(infos, n, sizeof(mq_producers_info)) : NULL;
	mq_err err;

	if (!items) {
		mq_result_free(infos);
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	infos->items = (const mq_producers_info *const *)items;
	infos->n = n;
	fan.arg = infos;
	err = mq_fan_run(&fan, admin, partitions, n, timeout_ms, error);
	for (size_t i = 0; i < n && err == MQ_OK; i++) {
		mq_producers_info *info = items[i];

		info->topic = mq_result_str(infos, mq_str(partitions[i].topic));
		info->partition = partitions[i].partition;
		info->err = fan.items[i].err;
		info->text = mq_result_text(infos, info->err, mq_str(fan.items[i].text));
		if (!info->topic || !info->text)
			err = mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	mq_fan_deinit(&fan);
	if (err == MQ_OK)
		*out = infos;
	else
		mq_result_free(infos);
	return err;
}
