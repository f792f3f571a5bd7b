/*
 * Which handler answers which API, in which versions. What stands here is what
 * clients are told: a line is added when its versions all work.
 */
#include "broker/internal.h"

static const struct mq_handler handlers[] = {
    {0, 0, 12, mq_handle_produce},
    {1, 0, 16, mq_handle_fetch},
    {2, 0, 9, mq_handle_list_offsets},
    {3, 0, 12, mq_handle_metadata},
    {8, 2, 9, mq_handle_offset_commit},
    {9, 1, 9, mq_handle_offset_fetch},
    {10, 0, 6, mq_handle_find_coordinator},
    {11, 0, 9, mq_handle_join_group},
    {12, 0, 4, mq_handle_heartbeat},
    {13, 0, 5, mq_handle_leave_group},
    {14, 0, 5, mq_handle_sync_group},
    {15, 0, 6, mq_handle_describe_groups},
    {16, 0, 5, mq_handle_list_groups},
    {18, 0, 4, mq_handle_api_versions},
    {19, 0, 7, mq_handle_create_topics},
    {20, 0, 6, mq_handle_delete_topics},
    {21, 0, 2, mq_handle_delete_records},
    {22, 0, 5, mq_handle_init_producer_id},
    {23, 0, 4, mq_handle_leader_epochs},
    {24, 0, 5, mq_handle_add_partitions_to_txn},
    {25, 0, 4, mq_handle_add_offsets_to_txn},
    {26, 0, 5, mq_handle_end_txn},
    {27, 0, 1, mq_handle_write_txn_markers},
    {28, 0, 5, mq_handle_txn_offset_commit},
    {32, 0, 4, mq_handle_describe_configs},
    {33, 0, 2, mq_handle_alter_configs},
    {35, 0, 4, mq_handle_describe_log_dirs},
    {37, 0, 3, mq_handle_create_partitions},
    {42, 0, 2, mq_handle_delete_groups},
    {44, 0, 1, mq_handle_incremental_alter_configs},
    {47, 0, 0, mq_handle_offset_delete},
    {60, 0, 1, mq_handle_describe_cluster},
    {61, 0, 0, mq_handle_describe_producers},
    {65, 0, 0, mq_handle_describe_transactions},
    {66, 0, 1, mq_handle_list_transactions},
    {75, 0, 0, mq_handle_describe_topic_partitions},
};

const struct mq_handler *mq_handlers(int *n)
{
	*n = (int)mq_array_size(handlers);
	return handlers;
}

static const struct mq_handler *find(int16_t key)
{
	for (size_t i = 0; i < mq_array_size(handlers); i++)
		if (handlers[i].key == key)
			return &handlers[i];
	return NULL;
}

bool mq_core_api_range(const struct mq_core *core, int16_t api_key, int16_t *min, int16_t *max)
{
	const struct mq_handler *handler = find(api_key);

	(void)core;
	if (!handler)
		return false;
	*min = handler->min;
	*max = handler->max;
	return true;
}

MQ_HOT void mq_dispatch(struct mq_service *service, struct mq_call *call)
{
	struct mq_core *core = mq_container_of(service, struct mq_core, service);
	const struct mq_handler *handler = find(call->api_key);

	call->cancelled = false;
	if (atomic_load_explicit(&core->stopping, memory_order_relaxed))
		mq_core_fail(call, MQ_E_CLOSED);
	else if (!handler || call->api_version < handler->min || call->api_version > handler->max)
		mq_core_fail(call, MQ_E_PROTOCOL);
	else
		handler->handle(core, call);
}
