/* Movements of partitions, by partition and by pair of members. */
#include "consumer/movements.h"

#include <assert.h>

#include "consumer/java_order.h"

/* Partitions of one topic that moved between two members: the Java client takes
 * the first one of a HashSet, whose buckets never become fewer. */
struct mq_moved_set {
	uint32_t pair[3]; /* topic, from, to: the key */
	uint32_t buckets;
	struct mq_numbers partitions; /* in the order they came */
};

bool mq_movements_init(struct mq_movements *movements, struct mq_group_view *view)
{
	uint32_t n = view->n_partitions;

	*movements = (struct mq_movements){
	    .view = view,
	    .from = mq_arena_array(&view->arena, n, sizeof(uint32_t)),
	    .to = mq_arena_array(&view->arena, n, sizeof(uint32_t)),
	};
	mq_map_init(&movements->by_pair, (uint64_t)(uintptr_t)view);
	if (!movements->from || !movements->to)
		return false;
	for (uint32_t p = 0; p < n; p++)
		movements->from[p] = movements->to[p] = MQ_NONE;
	return true;
}

void mq_movements_deinit(struct mq_movements *movements)
{
	mq_map_deinit(&movements->by_pair);
}

static struct mq_moved_set *find_set(const struct mq_movements *movements, uint32_t topic,
				     uint32_t from, uint32_t to)
{
	uint32_t pair[3] = {topic, from, to};

	return mq_map_get(&movements->by_pair, pair, sizeof(pair));
}

static bool add_to_set(struct mq_movements *movements, uint32_t partition)
{
	struct mq_arena *arena = &movements->view->arena;
	uint32_t topic = movements->view->topic_of[partition];
	struct mq_moved_set *set =
	    find_set(movements, topic, movements->from[partition], movements->to[partition]);

	if (!set) {
		set = mq_arena_array(arena, 1, sizeof(*set));
		if (!set)
			return false;
		set->pair[0] = topic;
		set->pair[1] = movements->from[partition];
		set->pair[2] = movements->to[partition];
		if (!mq_map_set(&movements->by_pair, set->pair, sizeof(set->pair), set))
			return false;
	}
	if (set->partitions.n == 0)
		set->buckets = 0; /* an empty set is a new one */
	if (!mq_numbers_push(arena, &set->partitions, partition))
		return false;
	if (set->buckets < mq_java_buckets(set->partitions.n))
		set->buckets = mq_java_buckets(set->partitions.n);
	return true;
}

bool mq_movements_add(struct mq_movements *movements, uint32_t partition, uint32_t from,
		      uint32_t to)
{
	uint32_t first_from = movements->from[partition];

	if (first_from != MQ_NONE) {
		struct mq_moved_set *set = find_set(movements, movements->view->topic_of[partition],
						    first_from, movements->to[partition]);

		assert(set);
		mq_numbers_remove(&set->partitions, partition);
		movements->from[partition] = movements->to[partition] = MQ_NONE;
		if (first_from == to)
			return true; /* it is back */
		from = first_from;
	}
	movements->from[partition] = from;
	movements->to[partition] = to;
	return add_to_set(movements, partition);
}

static int32_t java_hash(const struct mq_group_view *view, uint32_t partition)
{
	const struct mq_view_topic *topic = &view->topics[view->topic_of[partition]];
	uint32_t number = partition - topic->first;

	return (int32_t)(31 * (31 + number) + (uint32_t)mq_java_hash(topic->in->name));
}

uint32_t mq_movements_instead(const struct mq_movements *movements, uint32_t partition,
			      uint32_t from, uint32_t to)
{
	const struct mq_moved_set *set;
	uint32_t first = partition, lowest = UINT32_MAX;

	if (movements->from[partition] != MQ_NONE)
		from = movements->from[partition];
	set = find_set(movements, movements->view->topic_of[partition], to, from);
	for (uint32_t i = 0; set && i < set->partitions.n; i++) {
		uint32_t p = set->partitions.items[i];
		uint32_t bucket = mq_java_bucket(java_hash(movements->view, p), set->buckets);

		if (bucket < lowest) {
			lowest = bucket;
			first = p;
		}
	}
	return first;
}
