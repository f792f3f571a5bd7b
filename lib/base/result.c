/* Results: a struct for the caller and, in front of it, the memory of all it
 * points to. */
#include "base/result.h"

#include <stdlib.h>

#include "base/mem.h"

/* What a caller holds is the part behind this. */
struct result {
	struct mq_arena arena;
	max_align_t payload[];
};

void *mq_result_new(size_t size)
{
	struct result *result = mq_calloc(1, sizeof(*result) + size);

	if (!result)
		return NULL;
	mq_arena_init(&result->arena, 0);
	return result->payload;
}

static struct result *result_of(const void *payload)
{
	return (struct result *)((uintptr_t)payload - offsetof(struct result, payload));
}

struct mq_arena *mq_result_arena(const void *payload)
{
	return &result_of(payload)->arena;
}

void mq_result_free(const void *payload)
{
	if (!payload)
		return;
	mq_arena_reset(mq_result_arena(payload));
	free(result_of(payload));
}

void **mq_result_items(const void *payload, size_t n, size_t size)
{
	struct mq_arena *arena = mq_result_arena(payload);
	void **items = mq_arena_array(arena, MQ_MAX(n, (size_t)1), sizeof(*items));
	char *data = mq_arena_array(arena, MQ_MAX(n, (size_t)1), size);

	if (!items || !data)
		return NULL;
	for (size_t i = 0; i < n; i++)
		items[i] = data + i * size;
	return items;
}

const char *mq_result_str(const void *payload, mq_bytes s)
{
	return s.data && s.size ? mq_arena_dup(mq_result_arena(payload), s).data : "";
}

bool mq_result_nullable(const void *payload, mq_bytes s, const char **out)
{
	*out = s.data ? mq_result_str(payload, s) : NULL;
	return *out || !s.data;
}

const char *mq_result_text(const void *payload, mq_err err, mq_bytes message)
{
	if (err == MQ_OK)
		return "";
	return message.data && message.size ? mq_result_str(payload, message) : mq_err_text(err);
}
