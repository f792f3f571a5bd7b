/* The leader's part: what the members want, and who gets what. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "consumer/consumer_protocol.h"
#include "consumer/group.h"
#include "protocol/wire.h"

/* --- what the members have said ------------------------------------------------------- */

static int name_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The topics of all members, each once. */
static mq_err collect_topics(struct mq_membership *g)
{
	size_t n = 0, kept = 0;
	const char **names;

	for (size_t m = 0; m < g->members.n_members; m++)
		n += g->members.members[m].n_topics;
	names = mq_arena_array(&g->members_arena, MQ_MAX(n, (size_t)1), sizeof(*names));
	if (!names)
		return MQ_E_NOMEM;
	n = 0;
	for (size_t m = 0; m < g->members.n_members; m++)
		for (size_t t = 0; t < g->members.members[m].n_topics; t++)
			names[n++] = g->members.members[m].topics[t];
	if (n > 0)
		qsort(names, n, sizeof(*names), name_order);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
			names[kept++] = names[i];
	g->group_topics = names;
	g->n_group_topics = kept;
	return kept > MQ_SUB_TOPICS_MAX ? MQ_E_TOO_BIG : MQ_OK;
}

static mq_err read_member(struct mq_membership *g, const struct mq_join_group_response_member *from,
			  mq_subscription *to, mq_error *error)
{
	mq_bytes bytes = mq_arena_dup(&g->members_arena, from->metadata);
	mq_err err;

	if (from->metadata.data && !bytes.data)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	err = mq_subscription_decode(bytes, &g->members_arena, to, error);
	if (err != MQ_OK)
		return err;
	to->member_id = mq_arena_dup(&g->members_arena, from->member_id).data;
	to->instance_id = mq_arena_dup(&g->members_arena, from->group_instance_id).data;
	if (!to->member_id || (from->group_instance_id.data && !to->instance_id))
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	return MQ_OK;
}

mq_err mq_membership_read_members(struct mq_membership *g, const struct mq_join_group_response *r,
				  mq_error *error)
{
	mq_subscription *members;
	mq_err err = MQ_OK;

	g->group_topics = NULL;
	g->n_group_topics = 0;
	memset(&g->members, 0, sizeof(g->members));
	mq_arena_reset(&g->members_arena);
	members =
	    mq_arena_array(&g->members_arena, (size_t)MQ_MAX(r->n_members, 1), sizeof(*members));
	if (!members)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	for (int32_t i = 0; i < r->n_members && err == MQ_OK; i++)
		err = read_member(g, &r->members[i], &members[i], error);
	if (err != MQ_OK)
		return err;
	g->members.members = members;
	g->members.n_members = (size_t)r->n_members;
	err = collect_topics(g);
	return err == MQ_OK ? err : mq_fail(error, err, "%s", mq_err_text(err));
}

bool mq_membership_follow_topics(struct mq_membership *g, int64_t now_us)
{
	bool ok = true;

	for (size_t i = 0; i < g->n_group_topics; i++)
		ok = mq_meta_follow(&g->cons->meta, mq_str(g->group_topics[i]), now_us) && ok;
	return ok;
}

/* --- what there is to share out --------------------------------------------------------- */

static const struct mq_meta_topic *find(const struct mq_membership *g, const char *name)
{
	return mq_meta_find(&g->cons->meta, mq_str(name));
}

/* Whether metadata know of every topic, be it that there is none. */
static bool all_known(const struct mq_membership *g)
{
	for (size_t i = 0; i < g->n_group_topics; i++) {
		const struct mq_meta_topic *topic = find(g, g->group_topics[i]);

		if (!topic || !topic->known)
			return false;
	}
	return true;
}

/* The numbers of partitions, as one number that changes with any of them. */
static uint64_t hash_counts(const struct mq_membership *g)
{
	uint64_t hash = 1;

	for (size_t i = 0; i < g->n_group_topics; i++) {
		const struct mq_meta_topic *topic = find(g, g->group_topics[i]);
		int32_t n = topic && topic->err == MQ_OK ? topic->n_partitions : 0;

		hash = mq_hash(hash, &n, sizeof(n));
	}
	return hash | 1;
}

/* A topic that only just came to an error keeps its partitions for the time: an
 * assignment without them would be one rebalance more. */
static mq_err list_topics(struct mq_membership *g, struct mq_arena *arena)
{
	mq_assignor_topic *topics =
	    mq_arena_array(arena, MQ_MAX(g->n_group_topics, (size_t)1), sizeof(*topics));
	size_t n = 0;

	if (!topics)
		return MQ_E_NOMEM;
	for (size_t i = 0; i < g->n_group_topics; i++) {
		const struct mq_meta_topic *topic = find(g, g->group_topics[i]);

		if (!topic || topic->err != MQ_OK || topic->n_partitions == 0)
			continue;
		topics[n].name = g->group_topics[i];
		topics[n++].n_partitions = topic->n_partitions;
	}
	g->members.topics = topics;
	g->members.n_topics = n;
	return MQ_OK;
}

void mq_membership_metadata_changed(struct mq_membership *g)
{
	bool again = g->leader && g->assigned_counts != 0 && g->state >= MQ_GROUP_SYNCING &&
		     g->assigned_counts != hash_counts(g);

	if (again || (mq_membership_is_member(g) && mq_membership_topics_changed(g))) {
		g->rejoin = true;
		mq_cons_tell(g->cons);
	}
	mq_cons_wake(g->cons);
}

/* --- assigning ------------------------------------------------------------------------------- */

static mq_err encode(struct mq_membership *g, const mq_member_assignment *out,
		     struct mq_arena *arena, mq_error *error)
{
	size_t n = g->members.n_members;
	struct mq_buf buf;
	mq_err err = MQ_OK;

	g->assignments = mq_new(arena, mq_sync_group_request_assignment, n);
	if (!g->assignments)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	for (size_t i = 0; i < n && err == MQ_OK; i++) {
		mq_buf_init(&buf, 0);
		err = mq_assignment_encode(&out[i], MQ_CONSUMER_PROTOCOL_MAX, &buf, error);
		if (err == MQ_OK) {
			g->assignments[i].member_id = mq_str(g->members.members[i].member_id);
			g->assignments[i].assignment =
			    mq_arena_dup(arena, mq_mem(buf.data, buf.size));
			if (!g->assignments[i].assignment.data)
				err = mq_fail(error, MQ_E_NOMEM, "out of memory");
		}
		mq_buf_deinit(&buf);
	}
	if (err == MQ_OK)
		g->n_assignments = n;
	return err;
}

static bool is_built_in(const mq_assignor *a)
{
	return a == &mq_assignor_range || a == &mq_assignor_round_robin ||
	       a == &mq_assignor_sticky || a == &mq_assignor_cooperative_sticky;
}

/* Kafka's assignors may run on the loop's thread, a program's own does not. */
static mq_err run(struct mq_membership *g, struct mq_memory *memory, mq_member_assignment *out,
		  mq_error *error)
{
	const mq_assignor *a = g->assignor;
	mq_err err;

	if (!is_built_in(a))
		mq_cons_assignor_begin(g->cons);
	err = a->assign(a->arg, &g->members, memory, out, error);
	if (!is_built_in(a))
		mq_cons_assignor_end(g->cons);
	return err;
}

static mq_err assign(struct mq_membership *g, mq_error *error)
{
	mq_member_assignment *out;
	struct mq_memory memory;
	mq_err err = MQ_E_NOMEM;

	mq_arena_init(&memory.arena, 0);
	mq_arena_reset(&g->sync_arena);
	out = mq_arena_array(&memory.arena, MQ_MAX(g->members.n_members, (size_t)1), sizeof(*out));
	if (out)
		err = list_topics(g, &memory.arena);
	if (err != MQ_OK)
		mq_fail(error, err, "out of memory");
	if (err == MQ_OK)
		err = run(g, &memory, out, error);
	if (err == MQ_OK)
		err = encode(g, out, &g->sync_arena, error);
	g->members.topics = NULL;
	g->members.n_topics = 0;
	mq_arena_reset(&memory.arena);
	return err;
}

void mq_membership_run_assignor(struct mq_membership *g)
{
	mq_error error = {MQ_OK, ""};
	mq_err err = MQ_OK;

	g->want_assign = false;
	g->assigned_counts = hash_counts(g);
	/* A static leader that is back only watches the topics: the members keep
	 * what they have. */
	if (!g->skip_assignment)
		err = assign(g, &error);
	if (err == MQ_OK) {
		g->state = MQ_GROUP_SYNCING;
	} else {
		mq_say(g->cons->port.logger, MQ_LEVEL_ERROR,
		       "group %.200s: the assignor %.100s has failed: %s",
		       g->cons->settings.group_id, g->assignor->name, error.text);
		error.code = err;
		g->trouble = error;
		mq_ask_failed(&g->join);
		g->rejoin = true;
		g->state = MQ_GROUP_OUT;
		mq_cons_tell(g->cons);
	}
	mq_cons_wake(g->cons);
}

void mq_membership_try_assign(struct mq_membership *g)
{
	if (g->want_assign)
		return;
	if (!all_known(g)) {
		(void)mq_membership_follow_topics(g, mq_cons_now_us(g->cons));
		mq_cons_want_metadata(g->cons);
		return;
	}
	if (is_built_in(g->assignor)) {
		mq_membership_run_assignor(g);
		return;
	}
	g->want_assign = true;
	mq_cons_tell(g->cons);
}
