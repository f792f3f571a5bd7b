/* The public functions of administration: arguments are checked here. */
#include <mq/admin.h>

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin.h"
#include "api/admin_impl.h"
#include "base/conf.h"
#include "base/err.h"

/* One call has at most this many items: counts on the wire are int32, and no
 * frame is large enough for more. */
#define ITEMS_MAX 1000000

mq_admin *mq_admin_new(const mq_conf *conf, mq_error *error)
{
	struct mq_admin *admin = NULL;

	if (!conf || mq_conf_role(conf) != MQ_ROLE_ADMIN)
		mq_fail(error, MQ_E_ARG, "a configuration made with MQ_ROLE_ADMIN is needed");
	else if (mq_adm_new(&admin, conf, NULL, error) != MQ_OK)
		return NULL;
	return admin;
}

void mq_admin_free(mq_admin *admin)
{
	mq_adm_free(admin);
}

void mq_admin_result_free(const void *result)
{
	mq_result_free(result);
}

const mq_outcome *mq_outcomes_first_error(const mq_outcomes *outcomes)
{
	for (size_t i = 0; i < outcomes->n; i++)
		if (outcomes->items[i]->err != MQ_OK)
			return outcomes->items[i];
	return NULL;
}

const char *mq_config_source_name(mq_config_source source)
{
	switch (source) {
	case MQ_SOURCE_UNKNOWN:
		break;
	case MQ_SOURCE_TOPIC:
		return "DYNAMIC_TOPIC_CONFIG";
	case MQ_SOURCE_DYNAMIC_BROKER:
		return "DYNAMIC_BROKER_CONFIG";
	case MQ_SOURCE_DYNAMIC_DEFAULT_BROKER:
		return "DYNAMIC_DEFAULT_BROKER_CONFIG";
	case MQ_SOURCE_STATIC_BROKER:
		return "STATIC_BROKER_CONFIG";
	case MQ_SOURCE_DEFAULT:
		return "DEFAULT_CONFIG";
	}
	return "UNKNOWN";
}

/* --- checks ----------------------------------------------------------------------- */

mq_err mq_api_check_admin(const mq_admin *admin, const void *items, size_t n, const void *out,
			  mq_error *error)
{
	if (!admin || !out)
		return mq_fail(error, MQ_E_ARG, "the admin or the place for the result is NULL");
	if (admin->pid != getpid())
		return mq_fail(error, MQ_E_FORKED, "%s", mq_err_text(MQ_E_FORKED));
	if ((!items && n > 0) || n > ITEMS_MAX)
		return mq_fail(error, MQ_E_ARG, "the array is NULL, or longer than %d", ITEMS_MAX);
	return MQ_OK;
}

mq_err mq_api_check_name(const char *name, mq_error *error)
{
	return name ? MQ_OK : mq_fail(error, MQ_E_ARG, "the name of an item is NULL");
}

static mq_err check_assignments(const mq_assignment *assignments, size_t n, mq_error *error)
{
	if ((!assignments && n > 0) || n > ITEMS_MAX)
		return mq_fail(error, MQ_E_ARG, "the assignments are NULL, or too many");
	for (size_t i = 0; i < n; i++)
		if (!assignments[i].brokers || assignments[i].n == 0 ||
		    assignments[i].n > INT16_MAX)
			return mq_fail(
			    error, MQ_E_ARG,
			    "the assignment of partition %zu names no broker, or too many", i);
	return MQ_OK;
}

static mq_err check_new_topic(const mq_new_topic *topic, mq_error *error)
{
	mq_err err = mq_api_check_name(topic->name, error);

	if (err == MQ_OK)
		err = check_assignments(topic->assignments, topic->n_assignments, error);
	if (err != MQ_OK)
		return err;
	if (topic->replication_factor > INT16_MAX || topic->replication_factor < INT16_MIN)
		return mq_fail(error, MQ_E_ARG, "%s: a replication factor of %d", topic->name,
			       topic->replication_factor);
	if ((!topic->configs && topic->n_configs > 0) || topic->n_configs > ITEMS_MAX)
		return mq_fail(error, MQ_E_ARG, "%s: the configs are NULL", topic->name);
	for (size_t i = 0; i < topic->n_configs; i++)
		if (!topic->configs[i].key)
			return mq_fail(error, MQ_E_ARG, "%s: a key is NULL", topic->name);
	return MQ_OK;
}

static mq_err check_partitions(const mq_partition_at *partitions, size_t n, mq_error *error)
{
	mq_err err = MQ_OK;

	for (size_t i = 0; i < n && err == MQ_OK; i++)
		err = mq_api_check_name(partitions[i].topic, error);
	return err;
}

static mq_err check_alterations(const mq_alteration *alterations, size_t n, bool set_only,
				mq_error *error)
{
	for (size_t i = 0; i < n; i++) {
		const mq_alteration *a = &alterations[i];

		if (!a->name || (!a->alters && a->n > 0) || a->n > ITEMS_MAX)
			return mq_fail(error, MQ_E_ARG, "a name or its changes are NULL");
		for (size_t j = 0; j < a->n; j++)
			if (!a->alters[j].key || (set_only && a->alters[j].op != MQ_ALTER_SET))
				return mq_fail(error, MQ_E_ARG,
					       "%s: a key is NULL, or not to be set", a->name);
	}
	return MQ_OK;
}

/* --- calls ------------------------------------------------------------------------- */

mq_err mq_admin_create_topics(mq_admin *admin, const mq_new_topic *topics, size_t n,
			      bool validate_only, int timeout_ms, const mq_outcomes **out,
			      mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, topics, n, out, error);

	for (size_t i = 0; i < n && err == MQ_OK; i++)
		err = check_new_topic(&topics[i], error);
	if (err != MQ_OK)
		return err;
	return mq_adm_create_topics(admin, topics, n, validate_only, timeout_ms, out, error);
}

mq_err mq_admin_delete_topics(mq_admin *admin, const char *const *topics, size_t n, int timeout_ms,
			      const mq_outcomes **out, mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, topics, n, out, error);

	for (size_t i = 0; i < n && err == MQ_OK; i++)
		err = mq_api_check_name(topics[i], error);
	if (err != MQ_OK)
		return err;
	return mq_adm_delete_topics(admin, topics, n, timeout_ms, out, error);
}

mq_err mq_admin_create_partitions(mq_admin *admin, const mq_new_partitions *topics, size_t n,
				  bool validate_only, int timeout_ms, const mq_outcomes **out,
				  mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, topics, n, out, error);

	for (size_t i = 0; i < n && err == MQ_OK; i++) {
		err = mq_api_check_name(topics[i].topic, error);
		if (err == MQ_OK)
			err = check_assignments(topics[i].assignments, topics[i].n_assignments,
						error);
	}
	if (err != MQ_OK)
		return err;
	return mq_adm_create_partitions(admin, topics, n, validate_only, timeout_ms, out, error);
}

mq_err mq_admin_list_topics(mq_admin *admin, int timeout_ms, const mq_topic_infos **out,
			    mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, NULL, 0, out, error);

	if (err != MQ_OK)
		return err;
	return mq_adm_describe_topics(admin, NULL, 0, true, timeout_ms, out, error);
}

mq_err mq_admin_describe_topics(mq_admin *admin, const char *const *topics, size_t n,
				int timeout_ms, const mq_topic_infos **out, mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, topics, n, out, error);

	for (size_t i = 0; i < n && err == MQ_OK; i++)
		err = mq_api_check_name(topics[i], error);
	if (err != MQ_OK)
		return err;
	return mq_adm_describe_topics(admin, topics, n, false, timeout_ms, out, error);
}

mq_err mq_admin_describe_configs(mq_admin *admin, const mq_resource *resources, size_t n,
				 int timeout_ms, const mq_config_infos **out, mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, resources, n, out, error);

	for (size_t i = 0; i < n && err == MQ_OK; i++) {
		err = mq_api_check_name(resources[i].name, error);
		for (size_t j = 0; resources[i].keys && j < resources[i].n_keys && err == MQ_OK;
		     j++)
			err = mq_api_check_name(resources[i].keys[j], error);
	}
	if (err != MQ_OK)
		return err;
	return mq_adm_describe_configs(admin, resources, n, timeout_ms, out, error);
}

mq_err mq_admin_incremental_alter_configs(mq_admin *admin, const mq_alteration *alterations,
					  size_t n, bool validate_only, int timeout_ms,
					  const mq_outcomes **out, mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, alterations, n, out, error);

	if (err == MQ_OK)
		err = check_alterations(alterations, n, false, error);
	if (err != MQ_OK)
		return err;
	return mq_adm_incremental_alter_configs(admin, alterations, n, validate_only, timeout_ms,
						out, error);
}

mq_err mq_admin_alter_configs(mq_admin *admin, const mq_alteration *alterations, size_t n,
			      bool validate_only, int timeout_ms, const mq_outcomes **out,
			      mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, alterations, n, out, error);

	if (err == MQ_OK)
		err = check_alterations(alterations, n, true, error);
	if (err != MQ_OK)
		return err;
	return mq_adm_alter_configs(admin, alterations, n, validate_only, timeout_ms, out, error);
}

mq_err mq_admin_list_offsets(mq_admin *admin, const mq_partition_at *partitions, size_t n,
			     bool committed_only, int timeout_ms, const mq_offset_infos **out,
			     mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, partitions, n, out, error);

	if (err == MQ_OK)
		err = check_partitions(partitions, n, error);
	if (err != MQ_OK)
		return err;
	return mq_adm_list_offsets(admin, partitions, n, committed_only, timeout_ms, out, error);
}

mq_err mq_admin_delete_records(mq_admin *admin, const mq_partition_at *partitions, size_t n,
			       int timeout_ms, const mq_offset_infos **out, mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, partitions, n, out, error);

	if (err == MQ_OK)
		err = check_partitions(partitions, n, error);
	if (err != MQ_OK)
		return err;
	return mq_adm_delete_records(admin, partitions, n, timeout_ms, out, error);
}

mq_err mq_admin_describe_cluster(mq_admin *admin, int timeout_ms, const mq_cluster_info **out,
				 mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, NULL, 0, out, error);

	if (err != MQ_OK)
		return err;
	return mq_adm_describe_cluster(admin, timeout_ms, out, error);
}

mq_err mq_admin_describe_log_dirs(mq_admin *admin, const int32_t *brokers, size_t n, int timeout_ms,
				  const mq_log_dir_infos **out, mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, brokers, brokers ? n : 0, out, error);

	if (err != MQ_OK)
		return err;
	return mq_adm_describe_log_dirs(admin, brokers, n, timeout_ms, out, error);
}

mq_err mq_admin_describe_producers(mq_admin *admin, const mq_partition_at *partitions, size_t n,
				   int timeout_ms, const mq_producers_infos **out, mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, partitions, n, out, error);

	if (err == MQ_OK)
		err = check_partitions(partitions, n, error);
	if (err != MQ_OK)
		return err;
	return mq_adm_describe_producers(admin, partitions, n, timeout_ms, out, error);
}

mq_err mq_admin_api_versions(mq_admin *admin, int32_t broker, int timeout_ms,
			     const mq_api_infos **out, mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, NULL, 0, out, error);

	if (err != MQ_OK)
		return err;
	return mq_adm_api_versions(admin, broker, timeout_ms, out, error);
}
