/* The offsets a group has committed: listed, set and deleted by its coordinator. */
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "base/err.h"
#include "base/mem.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"

/* --- partitions by topic ------------------------------------------------------------- */

/* One partition of what was asked, and its place there. */
struct place {
	const char *topic;
	int32_t partition;
	size_t at;
};

static int by_topic(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int r = strcmp(x->topic, y->topic);

	if (r)
		return r;
	if (x->partition != y->partition)
		return x->partition < y->partition ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

/* How many places from i on are of the same topic. */
static size_t run_of_topic(const struct place *places, size_t i, size_t n)
{
	size_t end = i + 1;

	while (end < n && strcmp(places[end].topic, places[i].topic) == 0)
		end++;
	return end - i;
}

static size_t count_topics(const struct place *places, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i += run_of_topic(places, i, n))
		count++;
	return count;
}

/* The first of the sorted places with this partition; n when there is none. */
static size_t find_place(const struct place *places, size_t n, mq_bytes topic, int32_t partition)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		size_t size = strlen(places[mid].topic);
		int r = memcmp(places[mid].topic, topic.data, MQ_MIN(size, topic.size));

		if (r == 0)
			r = (size > topic.size) - (size < topic.size);
		if (r == 0)
			r = (places[mid].partition > partition) -
			    (places[mid].partition < partition);
		if (r < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == n || places[low].partition != partition ||
	    !mq_bytes_eq(mq_str(places[low].topic), topic))
		return n;
	return low;
}

/* --- list ------------------------------------------------------------------------------ */

#define VERSION_ALL    2 /* the first one that can ask for all partitions (KIP-88) */
#define VERSION_GROUPS 8 /* and for several groups (KIP-709) */

struct list {
	struct mq_adm_call call;
	struct mq_ask *asks;
	const char *group;
	struct place *places; /* sorted; NULL: all partitions are asked for */
	size_t n;
	struct mq_offset_fetch_request_group as_group;
};

/* The versions differ in where the same fields are. */
static mq_err prepare_list(struct mq_request *req, int16_t version)
{
	struct mq_ask *ask = req->arg;
	struct list *list = ask->arg;
	struct mq_offset_fetch_request *request = req->call.request;
	const struct mq_offset_fetch_request_group *from = &list->as_group;

	mq_set_defaults(mq_offset_fetch_request, request);
	if (version < VERSION_ALL && !list->places)
		return MQ_E_UNSUPPORTED;
	if (version >= VERSION_GROUPS) {
		request->groups = &list->as_group;
		request->n_groups = 1;
		return MQ_OK;
	}
	request->group_id = from->group_id;
	request->n_topics = from->n_topics;
	if (from->n_topics < 0)
		return MQ_OK;
	request->topics =
	    mq_new(&list->call.arena, mq_offset_fetch_request_topic, (size_t)from->n_topics);
	if (!request->topics)
		return MQ_E_NOMEM;
	for (int32_t t = 0; t < from->n_topics; t++) {
		request->topics[t].name = from->topics[t].name;
		request->topics[t].partition_indexes = from->topics[t].partition_indexes;
		request->topics[t].n_partition_indexes = from->topics[t].n_partition_indexes;
	}
	return MQ_OK;
}

static int16_t list_error(const struct mq_request *req)
{
	const struct mq_offset_fetch_response *response = req->call.response;

	if (req->call.api_version < VERSION_GROUPS)
		return response->error_code;
	return response->n_groups == 1 ? response->groups[0].error_code : (int16_t)MQ_E_PROTOCOL;
}

static mq_err check_list(struct mq_request *req)
{
	return mq_adm_coordinator_error(list_error(req));
}

static bool build_topics(struct list *list)
{
	struct mq_arena *arena = &list->call.arena;
	struct mq_offset_fetch_request_group *group = &list->as_group;

	mq_set_defaults(mq_offset_fetch_request_group, group);
	group->group_id = mq_str(list->group);
	if (!list->places) {
		group->n_topics = -1;
		return true;
	}
	group->topics =
	    mq_new(arena, mq_offset_fetch_request_group_topic, count_topics(list->places, list->n));
	if (!group->topics)
		return false;
	for (size_t i = 0, run; i < list->n; i += run) {
		struct mq_offset_fetch_request_group_topic *t = &group->topics[group->n_topics++];

		run = run_of_topic(list->places, i, list->n);
		t->name = mq_str(list->places[i].topic);
		t->partition_indexes = mq_arena_array(arena, run, sizeof(int32_t));
		if (!t->partition_indexes)
			return false;
		for (size_t j = 0; j < run; j++)
			t->partition_indexes[t->n_partition_indexes++] =
			    list->places[i + j].partition;
	}
	return true;
}

/* What an answer of any version says of one partition. */
static bool fill_offset(const void *result, const struct mq_offset_fetch_response_partition *from,
			mq_group_offset_info *to)
{
	to->err = (mq_err)from->error_code;
	to->offset = from->committed_offset;
	to->leader_epoch = from->committed_leader_epoch;
	to->metadata = mq_result_str(result, from->metadata);
	to->text = mq_result_text(result, to->err, mq_str(NULL));
	return to->metadata && to->text;
}

/* Fills in what was asked for, or, if that was everything, adds to it. */
static bool take_partition(const struct list *list, mq_group_offset_infos *infos, void **items,
			   mq_bytes topic, const struct mq_offset_fetch_response_partition *from)
{
	mq_group_offset_info *to;
	size_t at;

	if (!list->places) {
		to = items[infos->n++];
		to->topic = mq_result_str(infos, topic);
		to->partition = from->partition_index;
		return to->topic && fill_offset(infos, from, to);
	}
	at = find_place(list->places, list->n, topic, from->partition_index);
	for (; at < list->n && list->places[at].partition == from->partition_index &&
	       mq_bytes_eq(mq_str(list->places[at].topic), topic);
	     at++)
		if (!fill_offset(infos, from, items[list->places[at].at]))
			return false;
	return true;
}

static bool take_group(const struct list *list, mq_group_offset_infos *infos, void **items,
		       const struct mq_offset_fetch_response_group *group)
{
	for (int32_t t = 0; t < group->n_topics; t++)
		for (int32_t i = 0; i < group->topics[t].n_partitions; i++) {
			const struct mq_offset_fetch_response_group_partition *p =
			    &group->topics[t].partitions[i];
			const struct mq_offset_fetch_response_partition same = {
			    .partition_index = p->partition_index,
			    .committed_offset = p->committed_offset,
			    .committed_leader_epoch = p->committed_leader_epoch,
			    .metadata = p->metadata,
			    .error_code = p->error_code,
			};

			if (!take_partition(list, infos, items, group->topics[t].name, &same))
				return false;
		}
	return true;
}

static int by_topic_and_number(const void *a, const void *b)
{
	const mq_group_offset_info *const *x = a, *const *y = b;
	int r = strcmp((*x)->topic, (*y)->topic);

	return r ? r : ((*x)->partition > (*y)->partition) - ((*x)->partition < (*y)->partition);
}

static size_t count_answers(const struct mq_request *req)
{
	const struct mq_offset_fetch_response *response = req->call.response;
	bool groups = req->call.api_version >= VERSION_GROUPS;
	size_t n = 0;

	for (int32_t t = 0; !groups && t < response->n_topics; t++)
		n += (size_t)response->topics[t].n_partitions;
	for (int32_t t = 0; groups && t < response->groups[0].n_topics; t++)
		n += (size_t)response->groups[0].topics[t].n_partitions;
	return n;
}

static bool fill_list(const struct list *list, const struct mq_request *req,
		      mq_group_offset_infos *infos)
{
	const struct mq_offset_fetch_response *response = req->call.response;
	size_t n = list->places ? list->n : count_answers(req);
	void **items = mq_result_items(infos, n, sizeof(mq_group_offset_info));

	if (!items)
		return false;
	infos->items = (const mq_group_offset_info *const *)items;
	for (size_t i = 0; list->places && i < n; i++) {
		mq_group_offset_info *info = items[list->places[i].at];

		info->topic = mq_result_str(infos, mq_str(list->places[i].topic));
		info->partition = list->places[i].partition;
		info->offset = info->leader_epoch = -1;
		info->err = MQ_E_UNKNOWN_SERVER_ERROR;
		info->text = "the broker's answer leaves it out";
		info->metadata = "";
		infos->n++;
		if (!info->topic)
			return false;
	}
	if (req->call.api_version >= VERSION_GROUPS) {
		if (!take_group(list, infos, items, &response->groups[0]))
			return false;
	} else {
		for (int32_t t = 0; t < response->n_topics; t++)
			for (int32_t i = 0; i < response->topics[t].n_partitions; i++)
				if (!take_partition(list, infos, items, response->topics[t].name,
						    &response->topics[t].partitions[i]))
					return false;
	}
	if (!list->places)
		qsort(items, infos->n, sizeof(*items), by_topic_and_number);
	return true;
}

static mq_err run_list(struct list *list, const mq_topic_partition *partitions,
		       mq_group_offset_infos *infos)
{
	struct mq_ask *ask =
	    mq_adm_ask_group(&list->call, MQ_API_OFFSET_FETCH, &mq_offset_fetch_request_message,
			     list->group, &list->asks);
	mq_err err;

	if (partitions)
		list->places = mq_arena_array(&list->call.arena, list->n, sizeof(*list->places));
	if (!ask || (partitions && !list->places))
		return mq_adm_nomem(&list->call);
	for (size_t i = 0; partitions && i < list->n; i++)
		list->places[i] = (struct place){partitions[i].topic, partitions[i].partition, i};
	if (partitions)
		qsort(list->places, list->n, sizeof(*list->places), by_topic);
	if (!build_topics(list))
		return mq_adm_nomem(&list->call);
	ask->arg = list;
	ask->req.prepare = prepare_list;
	ask->req.check = check_list;
	err = mq_adm_ask_one(ask);
	if (err != MQ_OK)
		return err;
	if (list_error(&ask->req) != MQ_OK)
		return mq_fail(list->call.error, (mq_err)list_error(&ask->req), "group %s: %s",
			       list->group, mq_err_text((mq_err)list_error(&ask->req)));
	return fill_list(list, &ask->req, infos) ? MQ_OK : mq_adm_nomem(&list->call);
}

mq_err mq_adm_list_group_offsets(struct mq_admin *admin, const char *group,
				 const mq_topic_partition *partitions, size_t n, int timeout_ms,
				 const mq_group_offset_infos **out, mq_error *error)
{
	mq_group_offset_infos *infos = mq_result_new(sizeof(*infos));
	struct list list = {.group = group, .n = n};
	mq_err err;

	mq_adm_begin(&list.call, admin, timeout_ms, error);
	err = infos ? run_list(&list, partitions, infos) : mq_adm_nomem(&list.call);
	if (err == MQ_OK) {
		*out = infos;
		infos = NULL;
	}
	mq_result_free(infos);
	mq_adm_end(&list.call, list.asks);
	return err;
}

/* --- one outcome for each partition ------------------------------------------------------ */

struct change {
	struct mq_adm_call call;
	struct mq_ask *asks;
	struct place *places; /* sorted */
	size_t n;
	mq_outcomes *outcomes;
};

static bool change_init(struct change *change, size_t n)
{
	void **items;

	change->n = n;
	change->places = mq_arena_array(&change->call.arena, n, sizeof(*change->places));
	change->outcomes = mq_result_new(sizeof(*change->outcomes));
	items = change->outcomes ? mq_result_items(change->outcomes, n, sizeof(mq_outcome)) : NULL;
	if (items)
		change->outcomes->items = (const mq_outcome *const *)items;
	return items && change->places;
}

static bool change_add(struct change *change, const char *topic, int32_t partition)
{
	size_t at = change->outcomes->n++;
	mq_outcome *outcome = (mq_outcome *)(uintptr_t)change->outcomes->items[at];

	outcome->name = mq_result_str(change->outcomes, mq_str(topic));
	outcome->partition = partition;
	outcome->err = MQ_E_UNKNOWN_SERVER_ERROR;
	outcome->text = "the broker's answer leaves it out";
	change->places[at] = (struct place){topic, partition, at};
	return outcome->name != NULL;
}

static void change_set(struct change *change, mq_bytes topic, int32_t partition, int16_t err)
{
	size_t i = find_place(change->places, change->n, topic, partition);

	for (; i < change->n && change->places[i].partition == partition &&
	       mq_bytes_eq(mq_str(change->places[i].topic), topic);
	     i++) {
		mq_outcome *outcome =
		    (mq_outcome *)(uintptr_t)change->outcomes->items[change->places[i].at];

		outcome->err = (mq_err)err;
		outcome->text = err == MQ_OK ? "" : mq_err_text((mq_err)err);
	}
}

static mq_err change_end(struct change *change, mq_err err, const mq_outcomes **out)
{
	if (err == MQ_OK)
		*out = change->outcomes;
	else
		mq_result_free(change->outcomes);
	mq_adm_end(&change->call, change->asks);
	return err;
}

/* --- alter --------------------------------------------------------------------------------- */

static mq_err check_commit(struct mq_request *req)
{
	const struct mq_offset_commit_response *response = req->call.response;

	for (int32_t t = 0; t < response->n_topics; t++)
		for (int32_t i = 0; i < response->topics[t].n_partitions; i++) {
			int16_t code = response->topics[t].partitions[i].error_code;

			if (mq_adm_coordinator_error(code) != MQ_OK)
				return (mq_err)code;
		}
	return MQ_OK;
}

/* As Kafka's own admin: generation -1 and no member id stand for nobody. */
static bool build_commit(struct change *change, const mq_group_offset *offsets,
			 struct mq_offset_commit_request *request)
{
	struct mq_arena *arena = &change->call.arena;

	request->topics =
	    mq_new(arena, mq_offset_commit_request_topic, count_topics(change->places, change->n));
	if (!request->topics)
		return false;
	for (size_t i = 0, run; i < change->n; i += run) {
		struct mq_offset_commit_request_topic *t = &request->topics[request->n_topics++];

		run = run_of_topic(change->places, i, change->n);
		t->name = mq_str(change->places[i].topic);
		t->partitions = mq_new(arena, mq_offset_commit_request_partition, run);
		if (!t->partitions)
			return false;
		for (size_t j = 0; j < run; j++) {
			const mq_group_offset *from = &offsets[change->places[i + j].at];
			struct mq_offset_commit_request_partition *p =
			    &t->partitions[t->n_partitions++];

			p->partition_index = from->partition;
			p->committed_offset = from->offset;
			if (from->leader_epoch.set)
				p->committed_leader_epoch = (int32_t)from->leader_epoch.value;
			p->committed_metadata = mq_str(from->metadata ? from->metadata : "");
		}
	}
	return true;
}

static mq_err run_alter(struct change *change, const char *group, const mq_group_offset *offsets)
{
	struct mq_ask *ask =
	    mq_adm_ask_group(&change->call, MQ_API_OFFSET_COMMIT, &mq_offset_commit_request_message,
			     group, &change->asks);
	struct mq_offset_commit_request *request = ask ? ask->req.call.request : NULL;
	const struct mq_offset_commit_response *response;
	mq_err err;

	if (!ask || !build_commit(change, offsets, request))
		return mq_adm_nomem(&change->call);
	request->group_id = mq_str(group);
	ask->req.check = check_commit;
	err = mq_adm_ask_one(ask);
	if (err != MQ_OK)
		return err;
	response = ask->req.call.response;
	for (int32_t t = 0; t < response->n_topics; t++)
		for (int32_t i = 0; i < response->topics[t].n_partitions; i++)
			change_set(change, response->topics[t].name,
				   response->topics[t].partitions[i].partition_index,
				   response->topics[t].partitions[i].error_code);
	return MQ_OK;
}

mq_err mq_adm_alter_group_offsets(struct mq_admin *admin, const char *group,
				  const mq_group_offset *offsets, size_t n, int timeout_ms,
				  const mq_outcomes **out, mq_error *error)
{
	struct change change = {.n = n};
	mq_err err;
	bool ok;

	mq_adm_begin(&change.call, admin, timeout_ms, error);
	ok = change_init(&change, n);
	for (size_t i = 0; i < n && ok; i++)
		ok = change_add(&change, offsets[i].topic, offsets[i].partition);
	if (ok)
		qsort(change.places, n, sizeof(*change.places), by_topic);
	err = ok ? run_alter(&change, group, offsets) : mq_adm_nomem(&change.call);
	return change_end(&change, err, out);
}

/* --- delete ---------------------------------------------------------------------------------- */

static mq_err check_delete(struct mq_request *req)
{
	const struct mq_offset_delete_response *response = req->call.response;

	return mq_adm_coordinator_error(response->error_code);
}

static bool build_delete(struct change *change, struct mq_offset_delete_request *request)
{
	struct mq_arena *arena = &change->call.arena;

	request->topics =
	    mq_new(arena, mq_offset_delete_request_topic, count_topics(change->places, change->n));
	if (!request->topics)
		return false;
	for (size_t i = 0, run; i < change->n; i += run) {
		struct mq_offset_delete_request_topic *t = &request->topics[request->n_topics++];

		run = run_of_topic(change->places, i, change->n);
		t->name = mq_str(change->places[i].topic);
		t->partitions = mq_new(arena, mq_offset_delete_request_partition, run);
		if (!t->partitions)
			return false;
		for (size_t j = 0; j < run; j++)
			t->partitions[t->n_partitions++].partition_index =
			    change->places[i + j].partition;
	}
	return true;
}

static mq_err run_delete(struct change *change, const char *group)
{
	struct mq_ask *ask =
	    mq_adm_ask_group(&change->call, MQ_API_OFFSET_DELETE, &mq_offset_delete_request_message,
			     group, &change->asks);
	struct mq_offset_delete_request *request = ask ? ask->req.call.request : NULL;
	const struct mq_offset_delete_response *response;
	mq_err err;

	if (!ask || !build_delete(change, request))
		return mq_adm_nomem(&change->call);
	request->group_id = mq_str(group);
	ask->req.check = check_delete;
	err = mq_adm_ask_one(ask);
	if (err != MQ_OK)
		return err;
	response = ask->req.call.response;
	if (response->error_code != MQ_OK)
		return mq_fail(change->call.error, (mq_err)response->error_code, "group %s: %s",
			       group, mq_err_text((mq_err)response->error_code));
	for (int32_t t = 0; t < response->n_topics; t++)
		for (int32_t i = 0; i < response->topics[t].n_partitions; i++)
			change_set(change, response->topics[t].name,
				   response->topics[t].partitions[i].partition_index,
				   response->topics[t].partitions[i].error_code);
	return MQ_OK;
}

mq_err mq_adm_delete_group_offsets(struct mq_admin *admin, const char *group,
				   const mq_topic_partition *partitions, size_t n, int timeout_ms,
				   const mq_outcomes **out, mq_error *error)
{
	struct change change = {.n = n};
	mq_err err;
	bool ok;

	mq_adm_begin(&change.call, admin, timeout_ms, error);
	ok = change_init(&change, n);
	for (size_t i = 0; i < n && ok; i++)
		ok = change_add(&change, partitions[i].topic, partitions[i].partition);
	if (ok)
		qsort(change.places, n, sizeof(*change.places), by_topic);
	err = ok ? run_delete(&change, group) : mq_adm_nomem(&change.call);
	return change_end(&change, err, out);
}
