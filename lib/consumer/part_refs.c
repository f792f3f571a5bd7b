/* Partitions that a request is about. */
#include "consumer/part_refs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void mq_part_refs_add(struct mq_part_refs *refs, mq_bytes topic, int32_t partition,
		      const mq_offset *offset)
{
	refs->items[refs->n] = (struct mq_part_ref){.topic = topic,
						    .partition = partition,
						    .order = refs->n,
						    .offset = offset,
						    .err = MQ_E_PROTOCOL};
	refs->n++;
}

static int topic_order(mq_bytes a, mq_bytes b)
{
	size_t n = MQ_MIN(a.size, b.size);
	int order = n > 0 ? memcmp(a.data, b.data, n) : 0;

	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int part_order(const struct mq_part_ref *a, const struct mq_part_ref *b)
{
	int order = topic_order(a->topic, b->topic);

	return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

static int full_order(const void *a, const void *b)
{
	const struct mq_part_ref *x = a, *y = b;
	int order = part_order(x, y);

	return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

void mq_part_refs_settle(struct mq_part_refs *refs)
{
	size_t kept = 0;

	if (refs->n < 2)
		return;
	qsort(refs->items, refs->n, sizeof(*refs->items), full_order);
	for (size_t i = 0; i < refs->n; i++) {
		if (kept > 0 && part_order(&refs->items[kept - 1], &refs->items[i]) == 0)
			kept--;
		refs->items[kept++] = refs->items[i];
	}
	refs->n = kept;
}

size_t mq_part_refs_run(const struct mq_part_refs *refs, size_t i)
{
	size_t n = 1;

	while (i + n < refs->n && topic_order(refs->items[i].topic, refs->items[i + n].topic) == 0)
		n++;
	return n;
}

struct mq_part_ref *mq_part_refs_find(const struct mq_part_refs *refs, mq_bytes topic,
				      int32_t partition)
{
	struct mq_part_ref key = {.topic = topic, .partition = partition};
	size_t from = 0, to = refs->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = part_order(&refs->items[middle], &key);

		if (order == 0)
			return &refs->items[middle];
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}
