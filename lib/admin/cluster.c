/* The cluster: its brokers, their log directories, the APIs they offer. */
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "base/err.h"
#include "base/mem.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/metadata.h"

/* --- brokers ------------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
	const mq_broker_info *const *x = a, *const *y = b;

	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static bool fill_cluster(mq_cluster_info *info, const struct mq_metadata_response *response)
{
	void **brokers =
	    mq_result_items(info, (size_t)MQ_MAX(response->n_brokers, 0), sizeof(mq_broker_info));

	info->id = mq_result_str(info, response->cluster_id);
	info->controller = response->controller_id;
	if (!brokers || !info->id)
		return false;
	for (int32_t i = 0; i < response->n_brokers; i++) {
		const struct mq_metadata_response_broker *from = &response->brokers[i];
		mq_broker_info *to = brokers[i];

		to->id = from->node_id;
		to->port = from->port;
		to->host = mq_result_str(info, from->host);
		if (!to->host || !mq_result_nullable(info, from->rack, &to->rack))
			return false;
		info->n_brokers++;
	}
	qsort(brokers, info->n_brokers, sizeof(*brokers), by_id);
	info->brokers = (const mq_broker_info *const *)brokers;
	return true;
}

mq_err mq_adm_describe_cluster(struct mq_admin *admin, int timeout_ms, const mq_cluster_info **out,
			       mq_error *error)
{
	const struct mq_metadata_response *response;
	mq_cluster_info *info = mq_result_new(sizeof(*info));
	struct mq_ask *asks = NULL;
	struct mq_adm_call call;
	mq_err err = MQ_E_NOMEM;

	mq_adm_begin(&call, admin, timeout_ms, error);
	if (info)
		err = mq_adm_metadata(&call, NULL, 0, false, &asks, &response);
	if (err == MQ_OK && !fill_cluster(info, response))
		err = MQ_E_NOMEM;
	if (err == MQ_OK) {
		*out = info;
		info = NULL;
	} else if (err == MQ_E_NOMEM) {
		mq_adm_nomem(&call);
	}
	mq_result_free(info);
	mq_adm_end(&call, asks);
	return err;
}

/* --- log directories ------------------------------------------------------------------ */

static size_t count_replicas(const struct mq_describe_log_dirs_response_result *dir)
{
	size_t n = 0;

	for (int32_t i = 0; i < dir->n_topics; i++)
		n += (size_t)MQ_MAX(dir->topics[i].n_partitions, 0);
	return n;
}

static bool fill_dir(const void *result, int32_t broker,
		     const struct mq_describe_log_dirs_response_result *from, mq_log_dir_info *to)
{
	void **replicas = mq_result_items(result, count_replicas(from), sizeof(mq_replica_info));

	to->broker = broker;
	to->err = (mq_err)from->error_code;
	to->text = mq_result_text(result, to->err, mq_str(NULL));
	to->path = mq_result_str(result, from->log_dir);
	to->total_bytes = from->total_bytes;
	to->usable_bytes = from->usable_bytes;
	if (!replicas || !to->text || !to->path)
		return false;
	to->replicas = (const mq_replica_info *const *)replicas;
	for (int32_t i = 0; i < from->n_topics; i++) {
		const struct mq_describe_log_dirs_response_topic *t = &from->topics[i];
		const char *topic = mq_result_str(result, t->name);

		if (!topic)
			return false;
		for (int32_t j = 0; j < t->n_partitions; j++) {
			mq_replica_info *r = replicas[to->n_replicas++];

			r->topic = topic;
			r->partition = t->partitions[j].partition_index;
			r->size = t->partitions[j].partition_size;
			r->offset_lag = t->partitions[j].offset_lag;
			r->future = t->partitions[j].is_future_key;
		}
	}
	return true;
}

static bool fill_failed(const void *result, int32_t broker, mq_err err, const char *why,
			mq_log_dir_info *to)
{
	to->broker = broker;
	to->err = err;
	to->text = mq_result_text(result, err, mq_str(why));
	to->path = "";
	to->total_bytes = to->usable_bytes = -1;
	return to->text != NULL;
}

static bool fill_dirs(mq_log_dir_infos *infos, const struct mq_ask *asks)
{
	size_t n = 0;
	void **items;

	for (const struct mq_ask *ask = asks; ask; ask = ask->next) {
		const struct mq_describe_log_dirs_response *r = ask->req.call.response;

		n += ask->err == MQ_OK && r->error_code == MQ_OK ? (size_t)MQ_MAX(r->n_results, 0)
								 : 1;
	}
	items = mq_result_items(infos, n, sizeof(mq_log_dir_info));
	if (!items)
		return false;
	infos->items = (const mq_log_dir_info *const *)items;
	for (const struct mq_ask *ask = asks; ask; ask = ask->next) {
		const struct mq_describe_log_dirs_response *r = ask->req.call.response;
		mq_err err = ask->err == MQ_OK ? (mq_err)r->error_code : ask->err;

		if (err != MQ_OK && !fill_failed(infos, ask->req.route.id, err, ask->req.error.text,
						 items[infos->n++]))
			return false;
		for (int32_t i = 0; err == MQ_OK && i < r->n_results; i++)
			if (!fill_dir(infos, ask->req.route.id, &r->results[i], items[infos->n++]))
				return false;
	}
	return true;
}

mq_err mq_adm_all_brokers(struct mq_adm_call *call, struct mq_ask **asks, const int32_t **out,
			  size_t *n)
{
	const struct mq_metadata_response *response;
	mq_err err = mq_adm_metadata(call, NULL, 0, false, asks, &response);
	int32_t *ids;

	if (err != MQ_OK)
		return err;
	*n = (size_t)MQ_MAX(response->n_brokers, 0);
	ids = mq_arena_array(&call->arena, *n + 1, sizeof(*ids));
	if (!ids)
		return mq_adm_nomem(call);
	for (size_t i = 0; i < *n; i++)
		ids[i] = response->brokers[i].node_id;
	*out = ids;
	return MQ_OK;
}

mq_err mq_adm_describe_log_dirs(struct mq_admin *admin, const int32_t *brokers, size_t n,
				int timeout_ms, const mq_log_dir_infos **out, mq_error *error)
{
	mq_log_dir_infos *infos = mq_result_new(sizeof(*infos));
	struct mq_ask *metadata = NULL, *asks = NULL;
	struct mq_adm_call call;
	mq_err err = MQ_OK;

	mq_adm_begin(&call, admin, timeout_ms, error);
	if (!infos)
		err = mq_adm_nomem(&call);
	else if (!brokers)
		err = mq_adm_all_brokers(&call, &metadata, &brokers, &n);
	for (size_t i = n; i-- > 0 && err == MQ_OK;) { /* asks are chained in front */
		struct mq_ask *ask = mq_adm_ask_new(&call, MQ_API_DESCRIBE_LOG_DIRS,
						    &mq_describe_log_dirs_request_message, &asks);
		struct mq_describe_log_dirs_request *request;

		if (!ask) {
			err = mq_adm_nomem(&call);
			break;
		}
		request = ask->req.call.request;
		request->n_topics = -1;
		ask->req.route.to = MQ_TO_BROKER;
		ask->req.route.id = brokers[i];
	}
	if (err != MQ_OK)
		goto out;
	for (struct mq_ask *ask = asks; ask; ask = ask->next)
		mq_adm_ask_send(ask);
	mq_adm_wait(&call);
	if (fill_dirs(infos, asks)) {
		*out = infos;
		infos = NULL;
	} else {
		err = mq_adm_nomem(&call);
	}
out:
	mq_result_free(infos);
	for (; metadata; metadata = metadata->next)
		mq_request_release(&metadata->req);
	mq_adm_end(&call, asks);
	return err;
}

/* --- APIs ------------------------------------------------------------------------------- */

static bool fill_apis(mq_api_infos *infos, const struct mq_api_versions_response *response)
{
	void **items =
	    mq_result_items(infos, (size_t)MQ_MAX(response->n_api_keys, 0), sizeof(mq_api_info));

	if (!items)
		return false;
	infos->items = (const mq_api_info *const *)items;
	for (int32_t i = 0; i < response->n_api_keys; i++) {
		const struct mq_api_versions_response_api_key *k = &response->api_keys[i];
		const struct mq_api *api = mq_api_find(k->api_key);
		mq_api_info *info = items[infos->n++];
		int16_t best = -1;

		if (api)
			best = MQ_MIN(api->version_max, k->max_version);
		info->key = k->api_key;
		info->name = api ? api->name : "UNKNOWN";
		info->min = k->min_version;
		info->max = k->max_version;
		info->usable =
		    api && best >= api->version_min && best >= k->min_version ? best : -1;
	}
	return true;
}

mq_err mq_adm_api_versions(struct mq_admin *admin, int32_t broker, int timeout_ms,
			   const mq_api_infos **out, mq_error *error)
{
	mq_api_infos *infos = mq_result_new(sizeof(*infos));
	const struct mq_metadata_response *metadata;
	const struct mq_api_versions_response *response;
	struct mq_ask *asks = NULL, *ask = NULL;
	struct mq_adm_call call;
	mq_err err = MQ_E_NOMEM;

	mq_adm_begin(&call, admin, timeout_ms, error);
	if (!infos)
		goto out;
	/* With the metadata the brokers get their ids. */
	err = mq_adm_metadata(&call, NULL, 0, false, &asks, &metadata);
	if (err != MQ_OK)
		goto out;
	ask = mq_adm_ask_new(&call, MQ_API_API_VERSIONS, &mq_api_versions_request_message, &asks);
	if (!ask) {
		err = MQ_E_NOMEM;
		goto out;
	}
	ask->req.route.to = broker < 0 ? MQ_TO_ANY : MQ_TO_BROKER;
	ask->req.route.id = broker;
	ask->req.prepare = mq_api_versions_prepare;
	err = mq_adm_ask_one(ask);
	if (err != MQ_OK)
		goto out;
	response = ask->req.call.response;
	if (response->error_code != MQ_OK)
		err = mq_fail(error, (mq_err)response->error_code, "the broker answers %s",
			      mq_err_name((mq_err)response->error_code));
	else if (!fill_apis(infos, response))
		err = MQ_E_NOMEM;
	if (err == MQ_OK) {
		infos->broker = ask->req.broker;
		*out = infos;
		infos = NULL;
	}
out:
	if (err == MQ_E_NOMEM)
		mq_adm_nomem(&call);
	mq_result_free(infos);
	mq_adm_end(&call, asks);
	return err;
}
