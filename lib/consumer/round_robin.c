/* The round robin assignor: all partitions in order, to the members in turn. */
#include "consumer/assignor.h"
#include "base/err.h"
#include "consumer/group_view.h"

static bool assign_in_turn(struct mq_group_view *view)
{
	uint32_t *order = mq_group_view_static_first(view);
	bool *subscribed = mq_arena_array(&view->arena, view->n_members, sizeof(*subscribed));
	uint32_t turn = 0;

	if (!order || !subscribed)
		return false;
	for (uint32_t t = 0; t < view->n_topics; t++) {
		const struct mq_view_topic *topic = &view->topics[t];
		uint32_t n = (uint32_t)topic->in->n_partitions;

		for (uint32_t i = 0; i < topic->members.n; i++)
			subscribed[topic->members.items[i]] = true;
		for (uint32_t p = 0; p < n; p++) {
			while (!subscribed[order[turn]])
				turn = (turn + 1) % view->n_members;
			if (!mq_numbers_push(&view->arena, &view->assigned[order[turn]],
					     topic->first + p))
				return false;
			turn = (turn + 1) % view->n_members;
		}
		for (uint32_t i = 0; i < topic->members.n; i++)
			subscribed[topic->members.items[i]] = false;
	}
	return true;
}

static mq_err assign(void *arg, const mq_group_subscription *group, mq_memory *memory,
		     mq_member_assignment *out, mq_error *error)
{
	struct mq_group_view view;
	mq_err err = mq_group_view_init(&view, group, error);

	(void)arg;
	if (err == MQ_OK && !assign_in_turn(&view))
		err = mq_fail(error, MQ_E_NOMEM, "out of memory for an assignment");
	if (err == MQ_OK)
		err = mq_group_view_give(&view, memory, out, error);
	mq_group_view_deinit(&view);
	return err;
}

const mq_assignor mq_assignor_round_robin = {.name = "roundrobin", .assign = assign};
