/*
 * The sticky assignors (KIP-54, KIP-341, KIP-429): balanced assignments that
 * leave partitions where they were. Here is what members say of themselves, who
 * owns what, and the two assignors; how partitions are shared out is in
 * sticky_even.c and sticky_general.c.
 *
 * sticky takes what a member had from its user data, cooperative-sticky from
 * the subscription itself, and leaves out what is still owned by somebody else.
 */
#include "consumer/sticky.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "consumer/assignor.h"
#include "consumer/java_order.h"

/* A member of an unknown generation. */
#define NO_GENERATION (-1)

/* --- user data of sticky ----------------------------------------------------- */

/* The claimed partitions, until the array ends or the data does. */
static bool read_claims(struct mq_cursor *in, const struct mq_group_view *view,
			struct mq_arena *arena, struct mq_numbers *claims)
{
	int32_t n_topics = (int32_t)mq_cursor_be32(in);

	if (in->failed || n_topics < 0)
		return in->failed = true;
	for (int32_t t = 0; t < n_topics && !in->failed; t++) {
		size_t size = mq_cursor_be16(in);
		const uint8_t *name = mq_cursor_take(in, size);
		int32_t n = (int32_t)mq_cursor_be32(in);

		if (in->failed || size > INT16_MAX || n < 0 || (size_t)n > mq_cursor_left(in) / 4)
			return in->failed = true;
		for (int32_t i = 0; i < n; i++) {
			uint32_t partition = mq_group_view_find(view, mq_mem(name, size),
								(int32_t)mq_cursor_be32(in));

			if (partition != MQ_NONE && !mq_numbers_push(arena, claims, partition))
				return false;
		}
	}
	return true;
}

/* The older form lacks the generation at its end; data that cannot be read is
 * as good as none. */
static bool sticky_member(struct mq_sticky *sticky, uint32_t m)
{
	struct mq_group_view *view = sticky->view;
	mq_bytes data = view->members[m].in->user_data;
	struct mq_cursor in;

	if (!data.data || data.size == 0)
		return true;
	mq_cursor_init(&in, data.data, data.size);
	if (!read_claims(&in, view, &view->arena, &sticky->claims[m]))
		return false;
	if (in.failed)
		sticky->claims[m].n = 0;
	else if (mq_cursor_left(&in) >= 4)
		sticky->generation[m] = (int32_t)mq_cursor_be32(&in);
	return true;
}

static void put_topic(struct mq_buf *buf, const char *topic, const mq_last_assignment *last)
{
	uint32_t n = 0;

	for (size_t i = 0; i < last->n; i++)
		n += strcmp(last->partitions[i].topic, topic) == 0;
	mq_buf_put_be16(buf, (uint16_t)strlen(topic));
	mq_buf_put_str(buf, topic);
	mq_buf_put_be32(buf, n);
	for (size_t i = 0; i < last->n; i++)
		if (strcmp(last->partitions[i].topic, topic) == 0)
			mq_buf_put_be32(buf, (uint32_t)last->partitions[i].partition);
}

/* The topics of the last assignment, each once, as the Java client walks them: its
 * map gets them by computeIfAbsent(), which puts a key in front of its bucket. */
static bool last_topics(struct mq_arena *scratch, const mq_last_assignment *last,
			const char ***topics, uint32_t **order, uint32_t *n)
{
	int32_t *hashes = mq_arena_array(scratch, last->n, sizeof(*hashes));

	*topics = mq_arena_array(scratch, last->n, sizeof(char *));
	*order = mq_arena_array(scratch, last->n, sizeof(**order));
	*n = 0;
	if (!hashes || !*topics || !*order)
		return false;
	for (size_t i = 0; i < last->n; i++) {
		const char *topic = last->partitions[i].topic;
		uint32_t t = 0;

		while (t < *n && strcmp((*topics)[t], topic) != 0)
			t++;
		if (t == *n)
			(*topics)[(*n)++] = topic;
	}
	for (uint32_t t = 0; t < *n / 2; t++) {
		const char *topic = (*topics)[t];

		(*topics)[t] = (*topics)[*n - 1 - t];
		(*topics)[*n - 1 - t] = topic;
	}
	for (uint32_t t = 0; t < *n; t++)
		hashes[t] = mq_java_hash((*topics)[t]);
	return mq_java_order(scratch, hashes, *n, *order);
}

static mq_err sticky_user_data(void *arg, const mq_last_assignment *last, mq_memory *memory,
			       mq_bytes *out)
{
	struct mq_arena scratch;
	struct mq_buf buf;
	mq_err err = MQ_E_NOMEM;
	const char **topics;
	uint32_t *order, n;
	void *copy;

	(void)arg;
	if (!last->any)
		return MQ_OK;
	mq_arena_init(&scratch, 0);
	mq_buf_init(&buf, 0);
	if (!last_topics(&scratch, last, &topics, &order, &n))
		goto out;
	mq_buf_put_be32(&buf, n);
	for (uint32_t t = 0; t < n; t++)
		put_topic(&buf, topics[order[t]], last);
	mq_buf_put_be32(&buf, (uint32_t)last->generation);
	copy = mq_memory_get(memory, buf.size);
	if (buf.failed || !copy)
		goto out;
	memcpy(copy, buf.data, buf.size);
	*out = mq_mem(copy, buf.size);
	err = MQ_OK;
out:
	mq_buf_deinit(&buf);
	mq_arena_reset(&scratch);
	return err;
}

/* --- user data of cooperative-sticky ------------------------------------------- */

static mq_err cooperative_user_data(void *arg, const mq_last_assignment *last, mq_memory *memory,
				    mq_bytes *out)
{
	uint8_t *data = mq_memory_get(memory, 4);

	(void)arg;
	if (!data)
		return MQ_E_NOMEM;
	*out = mq_bytes_of_int32(last->any ? last->generation : NO_GENERATION, data);
	return MQ_OK;
}

/* Subscriptions of version 2 and up tell the generation; before it was user data. */
static bool cooperative_member(struct mq_sticky *sticky, uint32_t m)
{
	struct mq_group_view *view = sticky->view;
	const mq_subscription *in = view->members[m].in;

	for (size_t i = 0; i < in->n_owned; i++) {
		uint32_t partition =
		    mq_group_view_find(view, mq_str(in->owned[i].topic), in->owned[i].partition);

		if (partition != MQ_NONE &&
		    !mq_numbers_push(&view->arena, &sticky->claims[m], partition))
			return false;
	}
	if (in->generation >= 0)
		sticky->generation[m] = in->generation;
	else if (in->user_data.data && in->user_data.size >= 4)
		sticky->generation[m] = (int32_t)mq_get32(in->user_data.data);
	return true;
}

/* --- who owns what --------------------------------------------------------------- */

static bool subscriptions_equal(struct mq_group_view *view, bool *equal)
{
	bool *first = mq_arena_array(&view->arena, view->n_names, sizeof(*first));
	size_t n_first = 0;

	if (!first)
		return false;
	*equal = true;
	for (uint32_t i = 0; i < view->n_members && *equal; i++) {
		const struct mq_view_member *member = &view->members[view->java_members[i]];
		bool fill = n_first == 0;

		if (!fill && member->in->n_topics != n_first)
			*equal = false;
		for (size_t t = 0; t < member->in->n_topics; t++) {
			bool *has = &first[member->names[t]];

			if (fill && !*has)
				n_first++;
			if (fill)
				*has = true;
			else if (!*has)
				*equal = false;
		}
	}
	return true;
}

/* Of two members that claim one partition the one of the later generation has
 * it; in one generation neither. The Java client compares with what the other
 * one's subscription says, not with its user data. */
static bool claim(struct mq_sticky *sticky, uint32_t *claimed_by, uint32_t m, uint32_t partition)
{
	uint32_t other = claimed_by[partition];
	int32_t other_generation;

	if (other != MQ_NONE) {
		other_generation =
		    MQ_MAX(sticky->view->members[other].in->generation, NO_GENERATION);
		if (sticky->generation[m] < other_generation)
			return true;
		mq_numbers_remove(&sticky->owned[other], partition);
		if (sticky->generation[m] == other_generation)
			sticky->disputed[partition] = true;
	}
	claimed_by[partition] = m;
	if (other != MQ_NONE && sticky->generation[m] == other_generation)
		return true;
	return mq_numbers_push(&sticky->view->arena, &sticky->owned[m], partition);
}

static bool find_owners(struct mq_sticky *sticky)
{
	struct mq_group_view *view = sticky->view;
	uint32_t *claimed_by =
	    mq_arena_array(&view->arena, view->n_partitions, sizeof(*claimed_by));

	if (!claimed_by)
		return false;
	for (uint32_t p = 0; p < view->n_partitions; p++)
		claimed_by[p] = MQ_NONE;
	for (uint32_t i = 0; i < view->n_members; i++) {
		uint32_t m = view->java_members[i];

		for (uint32_t c = 0; c < sticky->claims[m].n; c++)
			if (!claim(sticky, claimed_by, m, sticky->claims[m].items[c]))
				return false;
		sticky->generation_max = MQ_MAX(sticky->generation_max, sticky->generation[m]);
	}
	return true;
}

static bool look_at_racks(struct mq_sticky *sticky)
{
	struct mq_group_view *view = sticky->view;
	uint32_t *in_rack = mq_arena_array(&view->arena, view->n_racks, sizeof(*in_rack));

	sticky->n_members_near =
	    mq_arena_array(&view->arena, view->n_partitions, sizeof(*sticky->n_members_near));
	if (!in_rack || !sticky->n_members_near)
		return false;
	for (uint32_t m = 0; m < view->n_members; m++)
		if (view->members[m].rack != MQ_NONE) {
			sticky->racks_known = true;
			in_rack[view->members[m].rack]++;
		}
	for (uint32_t p = 0; p < view->n_partitions; p++)
		for (uint32_t i = 0; i < view->racks[p].n; i++)
			sticky->n_members_near[p] += in_rack[view->racks[p].items[i]];
	return mq_group_view_racks_matter(view, &sticky->everybody, 0, view->n_partitions,
					  &sticky->racks_matter);
}

static bool sticky_init(struct mq_sticky *sticky, struct mq_group_view *view,
			bool (*member)(struct mq_sticky *sticky, uint32_t m))
{
	struct mq_arena *arena = &view->arena;

	*sticky = (struct mq_sticky){
	    .view = view,
	    .everybody = {view->java_members, view->n_members, view->n_members},
	    .generation = mq_arena_array(arena, view->n_members, sizeof(int32_t)),
	    .generation_max = NO_GENERATION,
	    .claims = mq_arena_array(arena, view->n_members, sizeof(struct mq_numbers)),
	    .owned = mq_arena_array(arena, view->n_members, sizeof(struct mq_numbers)),
	    .disputed = mq_arena_array(arena, view->n_partitions, sizeof(bool)),
	    .changes_owner_to = mq_arena_array(arena, view->n_partitions, sizeof(uint32_t)),
	};
	if (!sticky->generation || !sticky->claims || !sticky->owned || !sticky->disputed ||
	    !sticky->changes_owner_to)
		return false;
	for (uint32_t p = 0; p < view->n_partitions; p++)
		sticky->changes_owner_to[p] = MQ_NONE;
	for (uint32_t m = 0; m < view->n_members; m++) {
		sticky->generation[m] = NO_GENERATION;
		if (!member(sticky, m))
			return false;
	}
	return look_at_racks(sticky) && subscriptions_equal(view, &sticky->same_topics) &&
	       find_owners(sticky);
}

/* --- the assignors ----------------------------------------------------------------- */

/* Partitions that somebody owns and somebody else is to get. */
static bool find_changes(struct mq_sticky *sticky)
{
	struct mq_group_view *view = sticky->view;
	uint32_t n = view->n_partitions;
	uint32_t *to = mq_arena_array(&view->arena, n, sizeof(*to));
	bool *given_up = mq_arena_array(&view->arena, n, sizeof(*given_up));
	bool *kept = mq_arena_array(&view->arena, n, sizeof(*kept));

	if (!to || !given_up || !kept)
		return false;
	for (uint32_t m = 0; m < view->n_members; m++)
		for (uint32_t i = 0; i < view->assigned[m].n; i++)
			to[view->assigned[m].items[i]] = m + 1;
	for (uint32_t m = 0; m < view->n_members; m++)
		for (uint32_t i = 0; i < sticky->claims[m].n; i++) {
			uint32_t p = sticky->claims[m].items[i];

			*(to[p] == m + 1 ? &kept[p] : &given_up[p]) = true;
		}
	for (uint32_t p = 0; p < n; p++)
		if (to[p] > 0 && given_up[p] && !kept[p])
			sticky->changes_owner_to[p] = to[p] - 1;
	return true;
}

/* Whether a member has got a topic it does not subscribe to. The Java client lets
 * that happen where a member subscribes to nothing or names a topic twice, and
 * where one has lost interest in what it had; the member could not take it. */
static bool gone_astray(const struct mq_group_view *view, uint32_t *subscribed)
{
	for (uint32_t m = 0; m < view->n_members; m++) {
		const struct mq_numbers *topics = &view->members[m].topics;

		for (uint32_t i = 0; i < topics->n; i++)
			subscribed[topics->items[i]] = m + 1;
		for (uint32_t i = 0; i < view->assigned[m].n; i++)
			if (subscribed[view->topic_of[view->assigned[m].items[i]]] != m + 1)
				return true;
	}
	return false;
}

static void forget(struct mq_sticky *sticky)
{
	for (uint32_t m = 0; m < sticky->view->n_members; m++)
		sticky->view->assigned[m].n = 0;
	for (uint32_t p = 0; p < sticky->view->n_partitions; p++)
		sticky->changes_owner_to[p] = MQ_NONE;
	sticky->same_topics = false;
}

static mq_err out_of_memory(mq_error *error)
{
	return mq_fail(error, MQ_E_NOMEM, "out of memory for an assignment");
}

/* One way to share out; partitions that somebody still owns are left out then. */
static mq_err share_out_once(struct mq_sticky *sticky, bool leave_owned, bool strict,
			     mq_error *error)
{
	struct mq_group_view *view = sticky->view;
	mq_err err = sticky->same_topics ? mq_sticky_even(sticky, error)
					 : mq_sticky_general(sticky, strict, error);

	if (err != MQ_OK || !leave_owned)
		return err;
	if (!sticky->same_topics && !find_changes(sticky))
		return out_of_memory(error);
	for (uint32_t p = 0; p < view->n_partitions; p++)
		if (sticky->changes_owner_to[p] != MQ_NONE)
			mq_numbers_remove(&view->assigned[sticky->changes_owner_to[p]], p);
	return MQ_OK;
}

/* As the Java client, if what comes of that is valid. */
static mq_err share_out(struct mq_group_view *view,
			bool (*member)(struct mq_sticky *sticky, uint32_t m), bool leave_owned,
			mq_error *error)
{
	uint32_t *subscribed = mq_arena_array(&view->arena, view->n_topics, sizeof(*subscribed));
	struct mq_sticky sticky;
	mq_err err;

	if (!subscribed || !sticky_init(&sticky, view, member))
		return out_of_memory(error);
	if (view->n_members == 0)
		return MQ_OK;
	err = share_out_once(&sticky, leave_owned, false, error);
	if (err == MQ_OK && gone_astray(view, subscribed)) {
		forget(&sticky);
		err = share_out_once(&sticky, leave_owned, true, error);
	}
	return err;
}

static mq_err assign(const mq_group_subscription *group,
		     bool (*member)(struct mq_sticky *sticky, uint32_t m), bool leave_owned,
		     mq_memory *memory, mq_member_assignment *out, mq_error *error)
{
	struct mq_group_view view;
	mq_err err = mq_group_view_init(&view, group, error);

	if (err == MQ_OK)
		err = share_out(&view, member, leave_owned, error);
	if (err == MQ_OK)
		err = mq_group_view_give(&view, memory, out, error);
	mq_group_view_deinit(&view);
	return err;
}

static mq_err sticky_assign(void *arg, const mq_group_subscription *group, mq_memory *memory,
			    mq_member_assignment *out, mq_error *error)
{
	(void)arg;
	return assign(group, sticky_member, false, memory, out, error);
}

static mq_err cooperative_assign(void *arg, const mq_group_subscription *group, mq_memory *memory,
				 mq_member_assignment *out, mq_error *error)
{
	(void)arg;
	return assign(group, cooperative_member, true, memory, out, error);
}

const mq_assignor mq_assignor_sticky = {
    .name = "sticky", .user_data = sticky_user_data, .assign = sticky_assign};

const mq_assignor mq_assignor_cooperative_sticky = {.name = "cooperative-sticky",
						    .cooperative = true,
						    .user_data = cooperative_user_data,
						    .assign = cooperative_assign};
