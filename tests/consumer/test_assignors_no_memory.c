/* Each allocation of an assignment fails once: the call says so and leaks nothing,
 * which the address sanitizer sees. */
#include "suite.h"

#include "base/buf.h"
#include "base/malloc_hook.h"
#include "base/mem.h"
#include "consumer/assignor.h"
#include "consumer/consumer_protocol.h"

#define MEMBERS 3

static const char *const topics[] = {"t", "u", "v"};
static const char *const near[] = {"a"}, *const far[] = {"b", NULL};
static const mq_replica_racks racks[] = {{near, 1}, {far, 2}, {near, 1}, {far, 2}, {near, 1}};
static const mq_assignor_topic known[] = {
    {.name = "t", .n_partitions = 5, .racks = racks},
    {.name = "u", .n_partitions = 5, .racks = racks},
};
static const mq_topic_partition owned[] = {{"t", 0}, {"t", 1}, {"t", 2}, {"u", 1}, {"t", 3}};

/* Subscriptions that are equal, or not. */
static void make_members(mq_subscription *members, bool equal)
{
	for (size_t m = 0; m < MEMBERS; m++)
		members[m] = (mq_subscription){.member_id = topics[m],
					       .rack = m ? "a" : "b",
					       .generation = 4 - (int32_t)m,
					       .topics = topics,
					       .n_topics = equal ? 3 : 3 - m,
					       .owned = owned,
					       .n_owned = m ? 2 : 5};
}

static mq_err all_calls(const mq_assignor *assignor, bool equal)
{
	mq_subscription members[MEMBERS], back = {0};
	mq_member_assignment out[MEMBERS] = {{0}};
	const mq_group_subscription group = {members, MEMBERS, known, mq_array_size(known)};
	const mq_last_assignment last = {.any = true, .partitions = owned, .n = 5, .generation = 4};
	mq_memory memory;
	struct mq_buf buf;
	mq_err err = MQ_OK;

	make_members(members, equal);
	mq_arena_init(&memory.arena, 0);
	mq_buf_init(&buf, 0);
	if (assignor->user_data)
		err = assignor->user_data(assignor->arg, &last, &memory, &members[0].user_data);
	if (err == MQ_OK)
		err = mq_subscription_encode(&members[0], 3, &buf, NULL);
	if (err == MQ_OK)
		err =
		    mq_subscription_decode(mq_mem(buf.data, buf.size), &memory.arena, &back, NULL);
	if (err == MQ_OK)
		err = assignor->assign(assignor->arg, &group, &memory, out, NULL);
	if (err == MQ_OK)
		err = mq_assignment_encode(&out[0], 3, &buf, NULL);
	mq_buf_deinit(&buf);
	mq_arena_reset(&memory.arena);
	return err;
}

START_TEST(an_assignment_without_memory_fails_and_leaks_nothing)
{
	const mq_assignor *all[] = {&mq_assignor_range, &mq_assignor_round_robin,
				    &mq_assignor_sticky, &mq_assignor_cooperative_sticky};
	unsigned n_failed = 0;

	for (size_t a = 0; a < mq_array_size(all); a++)
		for (int equal = 0; equal < 2; equal++)
			for (unsigned n = 1;; n++) {
				mq_err err;
				bool failed;

				malloc_hook_fail(n);
				err = all_calls(all[a], equal);
				failed = malloc_hook_failed();
				ck_assert_int_eq(err, failed ? MQ_E_NOMEM : MQ_OK);
				if (!failed)
					break;
				n_failed++;
			}
	ck_assert_uint_gt(n_failed, 50);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {an_assignment_without_memory_fails_and_leaks_nothing};

	return SUITE_RUN("assignors without memory", tests);
}
