/* Turning the names of a group into numbers, and the result back. */
#include "consumer/group_view.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "consumer/java_order.h"

bool mq_numbers_push(struct mq_arena *arena, struct mq_numbers *numbers, uint32_t number)
{
	if (numbers->n == numbers->capacity) {
		uint32_t capacity = numbers->capacity ? 2 * numbers->capacity : 4;
		uint32_t *items = mq_arena_array(arena, capacity, sizeof(*items));

		if (!items)
			return false;
		if (numbers->n > 0)
			memcpy(items, numbers->items, numbers->n * sizeof(*items));
		numbers->items = items;
		numbers->capacity = capacity;
	}
	numbers->items[numbers->n++] = number;
	return true;
}

bool mq_numbers_has(const struct mq_numbers *numbers, uint32_t number)
{
	for (uint32_t i = 0; i < numbers->n; i++)
		if (numbers->items[i] == number)
			return true;
	return false;
}

void mq_numbers_remove_at(struct mq_numbers *numbers, uint32_t index)
{
	assert(index < numbers->n);
	numbers->n--;
	memmove(numbers->items + index, numbers->items + index + 1,
		(numbers->n - index) * sizeof(*numbers->items));
}

void mq_numbers_remove(struct mq_numbers *numbers, uint32_t number)
{
	for (uint32_t i = 0; i < numbers->n; i++)
		if (numbers->items[i] == number) {
			mq_numbers_remove_at(numbers, i);
			return;
		}
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void mq_numbers_sort(struct mq_numbers *numbers)
{
	if (numbers->n > 1)
		qsort(numbers->items, numbers->n, sizeof(*numbers->items), by_number);
}

/* The number of a name in a map of numbers; a new one is *n, which moves on.
 * MQ_NONE when out of memory. */
static uint32_t intern(struct mq_map *map, const char *name, uint32_t *n)
{
	size_t size = strlen(name);
	uintptr_t id = (uintptr_t)mq_map_get(map, name, size);

	if (id == 0) {
		id = (uintptr_t)*n + 1;
		if (!mq_map_set(map, name, size, (void *)id))
			return MQ_NONE;
		++*n;
	}
	return (uint32_t)(id - 1);
}

static int by_member_id(const void *a, const void *b)
{
	const struct mq_view_member *x = *(struct mq_view_member *const *)a;
	const struct mq_view_member *y = *(struct mq_view_member *const *)b;
	int r = mq_java_compare(x->in->member_id, y->in->member_id);

	return r ? r : (x > y) - (x < y);
}

static bool number_members(struct mq_group_view *view)
{
	size_t n = view->n_members;
	int32_t *hashes = mq_arena_array(&view->arena, n, sizeof(*hashes));
	struct mq_view_member **sorted =
	    mq_arena_array(&view->arena, n, sizeof(struct mq_view_member *));

	view->members = mq_arena_array(&view->arena, n, sizeof(*view->members));
	view->assigned = mq_arena_array(&view->arena, n, sizeof(*view->assigned));
	view->java_members = mq_arena_array(&view->arena, n, sizeof(*view->java_members));
	if (!hashes || !sorted || !view->members || !view->assigned || !view->java_members)
		return false;
	for (size_t m = 0; m < n; m++) {
		view->members[m].in = &view->group->members[m];
		view->members[m].rack = MQ_NONE;
		sorted[m] = &view->members[m];
		hashes[m] = mq_java_hash(view->group->members[m].member_id);
	}
	qsort(sorted, n, sizeof(struct mq_view_member *), by_member_id);
	for (size_t i = 0; i < n; i++)
		sorted[i]->rank = (uint32_t)i;
	return mq_java_order(&view->arena, hashes, n, view->java_members);
}

/* Numbers the names members subscribe to, in the order of their first
 * appearance, which names then holds. */
static bool number_names(struct mq_group_view *view, const char ***names)
{
	size_t most = 0;

	for (uint32_t m = 0; m < view->n_members; m++)
		most += view->members[m].in->n_topics;
	*names = mq_arena_array(&view->arena, most, sizeof(char *));
	if (!*names)
		return false;
	for (uint32_t i = 0; i < view->n_members; i++) {
		struct mq_view_member *member = &view->members[view->java_members[i]];

		member->names =
		    mq_arena_array(&view->arena, member->in->n_topics, sizeof(*member->names));
		if (!member->names)
			return false;
		for (size_t t = 0; t < member->in->n_topics; t++) {
			const char *name = member->in->topics[t];
			uint32_t id = intern(&view->name_ids, name, &view->n_names);

			if (id == MQ_NONE)
				return false;
			member->names[t] = id;
			(*names)[id] = name;
		}
	}
	return true;
}

static int by_topic_name(const void *a, const void *b)
{
	const struct mq_view_topic *x = a, *y = b;

	return mq_java_compare(x->in->name, y->in->name);
}

/* Of the names those that exist: by name, and in the order of the Java client,
 * which puts them into a set and from there into a map. */
static bool number_topics(struct mq_group_view *view, const char *const *names)
{
	size_t n = view->n_names;
	const mq_assignor_topic **exist = mq_arena_array(&view->arena, n, sizeof(void *));
	int32_t *hashes = mq_arena_array(&view->arena, n, sizeof(*hashes));
	uint32_t *in_set = mq_arena_array(&view->arena, n, sizeof(*in_set));
	uint32_t *in_map = mq_arena_array(&view->arena, n, sizeof(*in_map));
	uint32_t left = 0;

	view->topics = mq_arena_array(&view->arena, n, sizeof(*view->topics));
	view->java_topics = mq_arena_array(&view->arena, n, sizeof(*view->java_topics));
	if (!exist || !hashes || !in_set || !in_map || !view->topics || !view->java_topics)
		return false;
	for (size_t t = 0; t < view->group->n_topics; t++) {
		const mq_assignor_topic *topic = &view->group->topics[t];
		uintptr_t id =
		    (uintptr_t)mq_map_get(&view->name_ids, topic->name, strlen(topic->name));

		if (id > 0 && topic->n_partitions > 0)
			exist[id - 1] = topic;
	}
	for (size_t i = 0; i < n; i++)
		hashes[i] = mq_java_hash(names[i]);
	if (!mq_java_order(&view->arena, hashes, n, in_set))
		return false;
	for (size_t i = 0; i < n; i++)
		if (exist[in_set[i]]) {
			view->topics[left].in = exist[in_set[i]];
			hashes[left] = mq_java_hash(exist[in_set[i]]->name);
			left++;
		}
	view->n_topics = left;
	if (!mq_java_order(&view->arena, hashes, left, in_map))
		return false;
	for (uint32_t i = 0; i < left; i++)
		exist[i] = view->topics[in_map[i]].in;
	qsort(view->topics, left, sizeof(*view->topics), by_topic_name);
	for (uint32_t t = 0; t < left; t++)
		if (!mq_map_set(&view->topic_by_name, view->topics[t].in->name,
				strlen(view->topics[t].in->name), &view->topics[t]))
			return false;
	for (uint32_t i = 0; i < left; i++) {
		const struct mq_view_topic *topic =
		    mq_map_get(&view->topic_by_name, exist[i]->name, strlen(exist[i]->name));

		view->java_topics[i] = (uint32_t)(topic - view->topics);
	}
	return true;
}

static bool subscribe_members(struct mq_group_view *view)
{
	for (uint32_t i = 0; i < view->n_members; i++) {
		uint32_t m = view->java_members[i];
		struct mq_view_member *member = &view->members[m];

		for (size_t j = 0; j < member->in->n_topics; j++) {
			const char *name = member->in->topics[j];
			struct mq_view_topic *topic =
			    mq_map_get(&view->topic_by_name, name, strlen(name));

			if (topic && (!mq_numbers_push(&view->arena, &member->topics,
						       (uint32_t)(topic - view->topics)) ||
				      !mq_numbers_push(&view->arena, &topic->members, m)))
				return false;
		}
	}
	return true;
}

static bool number_partitions(struct mq_group_view *view)
{
	uint32_t n = 0;

	for (uint32_t t = 0; t < view->n_topics; t++) {
		view->topics[t].first = n;
		n += (uint32_t)view->topics[t].in->n_partitions;
	}
	view->n_partitions = n;
	view->topic_of = mq_arena_array(&view->arena, n, sizeof(*view->topic_of));
	view->racks = mq_arena_array(&view->arena, n, sizeof(*view->racks));
	if (!view->topic_of || !view->racks)
		return false;
	for (uint32_t t = 0, p = 0; t < view->n_topics; t++)
		for (int32_t i = 0; i < view->topics[t].in->n_partitions; i++)
			view->topic_of[p++] = t;
	return true;
}

static bool number_racks(struct mq_group_view *view)
{
	bool any = false;

	for (uint32_t m = 0; m < view->n_members; m++) {
		const char *rack = view->members[m].in->rack;

		if (!rack || !rack[0])
			continue;
		any = true;
		view->members[m].rack = intern(&view->rack_ids, rack, &view->n_racks);
		if (view->members[m].rack == MQ_NONE)
			return false;
	}
	for (uint32_t p = 0; p < view->n_partitions && any; p++) {
		const struct mq_view_topic *topic = &view->topics[view->topic_of[p]];
		const mq_replica_racks *racks =
		    topic->in->racks ? &topic->in->racks[p - topic->first] : NULL;

		for (size_t i = 0; racks && i < racks->n; i++) {
			uint32_t rack;

			if (!racks->racks[i])
				continue;
			rack = intern(&view->rack_ids, racks->racks[i], &view->n_racks);
			if (rack == MQ_NONE)
				return false;
			if (!mq_numbers_has(&view->racks[p], rack) &&
			    !mq_numbers_push(&view->arena, &view->racks[p], rack))
				return false;
		}
	}
	return true;
}

mq_err mq_group_view_init(struct mq_group_view *view, const mq_group_subscription *group,
			  mq_error *error)
{
	uint64_t seed = (uint64_t)(uintptr_t)view; /* the order of these maps shows nowhere */
	int64_t n = 0;
	const char **names;

	*view = (struct mq_group_view){.group = group, .n_members = (uint32_t)group->n_members};
	mq_arena_init(&view->arena, 0);
	mq_map_init(&view->topic_by_name, seed);
	mq_map_init(&view->name_ids, seed);
	mq_map_init(&view->rack_ids, seed);
	for (size_t t = 0; t < group->n_topics; t++)
		n += MQ_MAX(group->topics[t].n_partitions, 0);
	if (n > INT32_MAX || group->n_members > INT32_MAX)
		return mq_fail(error, MQ_E_ARG, "a group of %zu members on %lld partitions",
			       group->n_members, (long long)n);
	if (!number_members(view) || !number_names(view, &names) || !number_topics(view, names) ||
	    !subscribe_members(view) || !number_partitions(view) || !number_racks(view))
		return mq_fail(error, MQ_E_NOMEM, "out of memory for the assignment of a group");
	return MQ_OK;
}

void mq_group_view_deinit(struct mq_group_view *view)
{
	mq_map_deinit(&view->topic_by_name);
	mq_map_deinit(&view->name_ids);
	mq_map_deinit(&view->rack_ids);
	mq_arena_reset(&view->arena);
}

uint32_t mq_group_view_find(const struct mq_group_view *view, mq_bytes topic, int32_t partition)
{
	const struct mq_view_topic *found =
	    mq_map_get(&view->topic_by_name, topic.data, topic.size);

	if (!found || partition < 0 || partition >= found->in->n_partitions)
		return MQ_NONE;
	return found->first + (uint32_t)partition;
}

struct static_first {
	const mq_subscription *in;
	uint32_t member, place; /* place: what Java's stable sort leaves alone */
};

static int by_instance_id(const void *a, const void *b)
{
	const struct static_first *x = a, *y = b;
	const char *xi = x->in->instance_id, *yi = y->in->instance_id;
	int r;

	if (!xi != !yi)
		return xi ? -1 : 1;
	r = xi ? mq_java_compare(xi, yi) : mq_java_compare(x->in->member_id, y->in->member_id);
	return r ? r : (x->place > y->place) - (x->place < y->place);
}

uint32_t *mq_group_view_static_first(struct mq_group_view *view)
{
	uint32_t n = view->n_members;
	struct static_first *sorted = mq_arena_array(&view->arena, n, sizeof(*sorted));
	uint32_t *order = mq_arena_array(&view->arena, n, sizeof(*order));

	if (!sorted || !order)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t m = view->java_members[i];

		sorted[i] = (struct static_first){view->members[m].in, m, i};
	}
	qsort(sorted, n, sizeof(*sorted), by_instance_id);
	for (uint32_t i = 0; i < n; i++)
		order[i] = sorted[i].member;
	return order;
}

bool mq_group_view_racks_matter(struct mq_group_view *view, const struct mq_numbers *members,
				uint32_t first, uint32_t n, bool *matter)
{
	bool *of_members = mq_arena_array(&view->arena, view->n_racks, sizeof(*of_members));
	bool *of_partitions = mq_arena_array(&view->arena, view->n_racks, sizeof(*of_partitions));
	uint32_t n_of_partitions = 0;
	bool meet = false, everywhere = true;

	if (!of_members || !of_partitions)
		return false;
	for (uint32_t i = 0; i < members->n; i++)
		if (view->members[members->items[i]].rack != MQ_NONE)
			of_members[view->members[members->items[i]].rack] = true;
	for (uint32_t p = first; p < first + n; p++)
		for (uint32_t i = 0; i < view->racks[p].n; i++) {
			uint32_t rack = view->racks[p].items[i];

			n_of_partitions += !of_partitions[rack];
			of_partitions[rack] = true;
			meet = meet || of_members[rack];
		}
	for (uint32_t p = first; p < first + n; p++)
		everywhere = everywhere && view->racks[p].n == n_of_partitions;
	*matter = meet && !everywhere;
	return true;
}

mq_err mq_group_view_give(const struct mq_group_view *view, mq_memory *memory,
			  mq_member_assignment *out, mq_error *error)
{
	for (uint32_t m = 0; m < view->n_members; m++) {
		const struct mq_numbers *from = &view->assigned[m];
		mq_topic_partition *to = mq_memory_get(memory, from->n * sizeof(*to));

		if (!to)
			return mq_fail(error, MQ_E_NOMEM, "out of memory for an assignment");
		for (uint32_t i = 0; i < from->n; i++) {
			const struct mq_view_topic *topic =
			    &view->topics[view->topic_of[from->items[i]]];

			to[i].topic = topic->in->name;
			to[i].partition = (int32_t)(from->items[i] - topic->first);
		}
		out[m].partitions = to;
		out[m].n = from->n;
	}
	return MQ_OK;
}
