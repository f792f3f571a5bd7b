/* The public functions on groups: arguments are checked here. */
#include <mq/admin.h>

#include "admin/admin.h"
#include "api/admin_impl.h"
#include "base/err.h"

static mq_err check_names(const mq_admin *admin, const char *const *names, size_t n,
			  const void *out, mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, names, n, out, error);

	for (size_t i = 0; i < n && err == MQ_OK; i++)
		err = mq_api_check_name(names[i], error);
	return err;
}

static mq_err check_partitions(const mq_admin *admin, const char *group,
			       const mq_topic_partition *partitions, size_t n, const void *out,
			       mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, partitions, n, out, error);

	if (err == MQ_OK)
		err = mq_api_check_name(group, error);
	for (size_t i = 0; i < n && err == MQ_OK; i++)
		err = mq_api_check_name(partitions[i].topic, error);
	return err;
}

mq_err mq_admin_list_groups(mq_admin *admin, const char *const *states, size_t n_states,
			    int timeout_ms, const mq_group_listings **out, mq_error *error)
{
	mq_err err = check_names(admin, states, n_states, out, error);

	if (err != MQ_OK)
		return err;
	return mq_adm_list_groups(admin, states, n_states, timeout_ms, out, error);
}

mq_err mq_admin_describe_groups(mq_admin *admin, const char *const *groups, size_t n,
				int timeout_ms, const mq_group_infos **out, mq_error *error)
{
	mq_err err = check_names(admin, groups, n, out, error);

	if (err != MQ_OK)
		return err;
	return mq_adm_describe_groups(admin, groups, n, timeout_ms, out, error);
}

mq_err mq_admin_delete_groups(mq_admin *admin, const char *const *groups, size_t n, int timeout_ms,
			      const mq_outcomes **out, mq_error *error)
{
	mq_err err = check_names(admin, groups, n, out, error);

	if (err != MQ_OK)
		return err;
	return mq_adm_delete_groups(admin, groups, n, timeout_ms, out, error);
}

mq_err mq_admin_list_group_offsets(mq_admin *admin, const char *group,
				   const mq_topic_partition *partitions, size_t n, int timeout_ms,
				   const mq_group_offset_infos **out, mq_error *error)
{
	mq_err err = check_partitions(admin, group, partitions, partitions ? n : 0, out, error);

	if (err != MQ_OK)
		return err;
	return mq_adm_list_group_offsets(admin, group, partitions, n, timeout_ms, out, error);
}

mq_err mq_admin_alter_group_offsets(mq_admin *admin, const char *group,
				    const mq_group_offset *offsets, size_t n, int timeout_ms,
				    const mq_outcomes **out, mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, offsets, n, out, error);

	if (err == MQ_OK)
		err = mq_api_check_name(group, error);
	for (size_t i = 0; i < n && err == MQ_OK; i++)
		err = mq_api_check_name(offsets[i].topic, error);
	if (err != MQ_OK)
		return err;
	return mq_adm_alter_group_offsets(admin, group, offsets, n, timeout_ms, out, error);
}

mq_err mq_admin_delete_group_offsets(mq_admin *admin, const char *group,
				     const mq_topic_partition *partitions, size_t n, int timeout_ms,
				     const mq_outcomes **out, mq_error *error)
{
	mq_err err = check_partitions(admin, group, partitions, n, out, error);

	if (err != MQ_OK)
		return err;
	return mq_adm_delete_group_offsets(admin, group, partitions, n, timeout_ms, out, error);
}
