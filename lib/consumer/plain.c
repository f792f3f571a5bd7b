/* The pool of buffers of decompressed records. */
#include "consumer/plain.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "env/thread.h"

/* Up to here copying is cheaper than keeping a buffer for it alone. */
#define PACK_MAX (16u * 1024)

/* The least a buffer is given for what is packed into it. */
#define PACK_CAPACITY (256u * 1024)

struct mq_plain_pool {
	struct mq_mutex lock;
	struct mq_plain *unused;
	size_t kept, kept_max;
	size_t out; /* buffers in use */
	bool freed;
};

static void plain_free(struct mq_plain *plain)
{
	free(plain->memory.data);
	free(plain);
}

static void destroy(struct mq_plain_pool *pool)
{
	mq_mutex_deinit(&pool->lock);
	free(pool);
}

struct mq_plain_pool *mq_plain_pool_new(size_t kept_max)
{
	struct mq_plain_pool *pool = mq_calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	mq_mutex_init(&pool->lock);
	pool->kept_max = kept_max;
	return pool;
}

void mq_plain_pool_free(struct mq_plain_pool *pool)
{
	struct mq_plain *plain, *next;
	bool last;

	if (!pool)
		return;
	mq_mutex_lock(&pool->lock);
	plain = pool->unused;
	pool->unused = NULL;
	pool->kept_max = 0;
	pool->freed = true;
	last = pool->out == 0;
	mq_mutex_unlock(&pool->lock);
	for (; plain; plain = next) {
		next = plain->next;
		plain_free(plain);
	}
	if (last)
		destroy(pool);
}

static void release(struct mq_held *held)
{
	struct mq_plain *plain = mq_container_of(held, struct mq_plain, held);
	struct mq_plain_pool *pool = plain->pool;
	bool keep, last;

	mq_mutex_lock(&pool->lock);
	pool->out--;
	keep = plain->memory.capacity <= pool->kept_max - pool->kept;
	if (keep) {
		pool->kept += plain->memory.capacity;
		plain->next = pool->unused;
		pool->unused = plain;
	}
	last = pool->freed && pool->out == 0;
	mq_mutex_unlock(&pool->lock);
	if (!keep)
		plain_free(plain);
	if (last)
		destroy(pool);
}

/* An unused buffer, or one without memory. */
static struct mq_plain *get(struct mq_plain_pool *pool)
{
	struct mq_plain *plain;

	mq_mutex_lock(&pool->lock);
	plain = pool->unused;
	if (plain) {
		pool->unused = plain->next;
		pool->kept -= plain->memory.capacity;
	}
	pool->out++;
	mq_mutex_unlock(&pool->lock);
	if (!plain) {
		plain = mq_calloc(1, sizeof(*plain));
		if (!plain) {
			mq_mutex_lock(&pool->lock);
			pool->out--;
			mq_mutex_unlock(&pool->lock);
			return NULL;
		}
	}
	plain->pool = pool;
	plain->used = 0;
	mq_held_init(&plain->held, release);
	return plain;
}

static bool grow(struct mq_plain *plain, size_t capacity)
{
	uint8_t *data;

	if (plain->memory.capacity >= capacity)
		return true;
	data = malloc(capacity);
	if (!data)
		return false;
	free(plain->memory.data);
	plain->memory = (struct mq_codec_memory){data, capacity};
	return true;
}

static void copy(struct mq_plain *plain, mq_bytes *bytes)
{
	uint8_t *to = plain->memory.data + plain->used;

	memcpy(to, bytes->data, bytes->size);
	plain->used += bytes->size;
	bytes->data = to;
}

mq_err mq_plain_keep(struct mq_plain_pool *pool, struct mq_codec_scratch *scratch,
		     struct mq_plain *pack, mq_bytes *bytes, struct mq_plain **kept)
{
	struct mq_codec_memory memory;
	struct mq_plain *plain;

	if (bytes->size <= PACK_MAX && pack && pack->memory.capacity - pack->used >= bytes->size) {
		copy(pack, bytes);
		mq_held_ref(&pack->held);
		*kept = pack;
		return MQ_OK;
	}
	plain = get(pool);
	if (!plain)
		return MQ_E_NOMEM;
	if (bytes->size > PACK_MAX) {
		memory = plain->memory;
		plain->memory = scratch->plain;
		scratch->plain = memory;
		plain->used = plain->memory.capacity;
	} else if (grow(plain, PACK_CAPACITY)) {
		copy(plain, bytes);
	} else {
		mq_held_unref(&plain->held);
		return MQ_E_NOMEM;
	}
	*kept = plain;
	return MQ_OK;
}
