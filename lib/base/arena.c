/* The arena: a chain of blocks, the newest in front. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdlib.h>

#ifdef __has_feature /* clang's way of saying __SANITIZE_ADDRESS__ */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#define BLOCK_SIZE 0u
#else
#define BLOCK_SIZE 4096u
#endif

struct mq_arena_block {
	struct mq_arena_block *next;
	alignas(max_align_t) char data[];
};

MQ_HOT void mq_arena_init(struct mq_arena *arena, size_t used_max)
{
	*arena = (struct mq_arena){.used_max = used_max};
}

MQ_HOT void mq_arena_lend(struct mq_arena *arena, void *memory, size_t size)
{
	arena->next = memory;
	arena->left = size;
}

MQ_HOT void mq_arena_reset(struct mq_arena *arena)
{
	struct mq_arena_block *block, *next;

	for (block = arena->blocks; MQ_UNLIKELY(block != NULL); block = next) {
		next = block->next;
		free(block);
	}
	mq_arena_init(arena, arena->used_max);
}

static MQ_COLD bool add_block(struct mq_arena *arena, size_t size)
{
	size_t room = size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE - sizeof(struct mq_arena_block);
	struct mq_arena_block *block = malloc(sizeof(*block) + room);

	if (!block)
		return false;
	block->next = arena->blocks;
	arena->blocks = block;
	arena->next = block->data;
	arena->left = room;
	return true;
}

MQ_HOT void *mq_arena_get(struct mq_arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (MQ_MAX(size, 1u) + align - 1) & ~(align - 1); /* nothing, too, has an address */
	if (arena->used_max && size > arena->used_max - MQ_MIN(arena->used, arena->used_max))
		return NULL;
	if ((size > arena->left || BLOCK_SIZE == 0) && !add_block(arena, size))
		return NULL;
	p = arena->next;
	arena->next += size;
	arena->left -= size;
	arena->used += size;
	return p;
}

MQ_HOT void *mq_arena_array(struct mq_arena *arena, size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	p = mq_arena_get(arena, bytes);
	if (p)
		memset(p, 0, bytes);
	return p;
}

mq_bytes mq_arena_dup(struct mq_arena *arena, mq_bytes b)
{
	char *copy;

	if (!b.data || b.size == SIZE_MAX)
		return (mq_bytes){NULL, 0};
	copy = mq_arena_get(arena, b.size + 1);
	if (!copy)
		return (mq_bytes){NULL, 0};
	memcpy(copy, b.data, b.size);
	copy[b.size] = '\0';
	return (mq_bytes){copy, b.size};
}

void *mq_memory_get(mq_memory *memory, size_t size)
{
	return mq_arena_get(&memory->arena, size);
}
