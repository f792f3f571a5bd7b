/* The pool of page-aligned blocks: one list per power of two. */
#include "config.h"

#include "net/block.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "env/thread.h"

/* 64 KiB to 2 GiB. */
#define N_CLASSES 16

struct mq_block_pool {
	struct mq_mutex lock;
	struct mq_block *unused[N_CLASSES];
	size_t kept, kept_max;
	size_t kept_min; /* the least that was kept since the last trim: nobody needed it */
	size_t out;      /* blocks in use */
	bool freed;
};

static unsigned class_of(size_t size)
{
	unsigned class = 0;

	while (class < N_CLASSES && (size_t)MQ_BLOCK_MIN << class < size)
		class ++;
	return class;
}

static void block_free(struct mq_block *block)
{
	mq_pages_free(block->data, block->size);
	free(block);
}

struct mq_block_pool *mq_block_pool_new(size_t kept_max)
{
	struct mq_block_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	mq_mutex_init(&pool->lock);
	pool->kept_max = kept_max;
	return pool;
}

/* Takes unused blocks of size bytes or less in all off the lists, largest
 * first; the lock is held. */
static struct mq_block *take_unused(struct mq_block_pool *pool, size_t size)
{
	struct mq_block *taken = NULL, *block;

	for (int i = N_CLASSES - 1; i >= 0; i--) {
		while ((block = pool->unused[i]) && block->size <= size) {
			pool->unused[i] = block->next;
			pool->kept -= block->size;
			size -= block->size;
			block->next = taken;
			taken = block;
		}
	}
	return taken;
}

static void free_list(struct mq_block *block)
{
	struct mq_block *next;

	for (; block; block = next) {
		next = block->next;
		block_free(block);
	}
}

static void destroy(struct mq_block_pool *pool)
{
	mq_mutex_deinit(&pool->lock);
	free(pool);
}

void mq_block_pool_free(struct mq_block_pool *pool)
{
	struct mq_block *unused;
	bool last;

	if (!pool)
		return;
	mq_mutex_lock(&pool->lock);
	unused = take_unused(pool, SIZE_MAX);
	pool->kept_max = 0;
	pool->freed = true;
	last = pool->out == 0;
	mq_mutex_unlock(&pool->lock);
	free_list(unused);
	if (last)
		destroy(pool);
}

static struct mq_block *block_new(struct mq_block_pool *pool, size_t size)
{
	struct mq_block *block = malloc(sizeof(*block));

	if (!block)
		return NULL;
	*block = (struct mq_block){.pool = pool, .data = mq_pages_alloc(size), .size = size};
	if (!block->data) {
		free(block);
		return NULL;
	}
	return block;
}

struct mq_block *mq_block_get(struct mq_block_pool *pool, size_t size)
{
	unsigned class = class_of(size);
	struct mq_block *block;

	if (class == N_CLASSES)
		return NULL;
	mq_mutex_lock(&pool->lock);
	block = pool->unused[class];
	if (block) {
		pool->unused[class] = block->next;
		pool->kept -= block->size;
		pool->kept_min = MQ_MIN(pool->kept_min, pool->kept);
	}
	pool->out++;
	mq_mutex_unlock(&pool->lock);
	if (block)
		return block;
	block = block_new(pool, (size_t)MQ_BLOCK_MIN << class);
	if (!block) {
		mq_mutex_lock(&pool->lock);
		pool->out--;
		mq_mutex_unlock(&pool->lock);
	}
	return block;
}

void mq_block_put(void *arg)
{
	struct mq_block *block = arg;
	struct mq_block_pool *pool;
	unsigned class;
	bool keep, last;

	if (!block)
		return;
	pool = block->pool;
	class = class_of(block->size);
	mq_mutex_lock(&pool->lock);
	assert(pool->out > 0);
	pool->out--;
	keep = pool->kept + block->size <= pool->kept_max;
	if (keep) {
		block->next = pool->unused[class];
		pool->unused[class] = block;
		pool->kept += block->size;
	}
	last = pool->freed && pool->out == 0;
	mq_mutex_unlock(&pool->lock);
	if (!keep)
		block_free(block);
	if (last)
		destroy(pool);
}

bool mq_block_pool_trim(struct mq_block_pool *pool)
{
	struct mq_block *unused;
	bool left;

	mq_mutex_lock(&pool->lock);
	unused = take_unused(pool, pool->kept_min);
	pool->kept_min = pool->kept;
	left = pool->kept > 0;
	mq_mutex_unlock(&pool->lock);
	free_list(unused);
	return left;
}

bool mq_block_pool_kept(struct mq_block_pool *pool)
{
	bool kept;

	mq_mutex_lock(&pool->lock);
	kept = pool->kept > 0;
	mq_mutex_unlock(&pool->lock);
	return kept;
}
