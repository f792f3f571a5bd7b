/*
 * An arena: memory that is taken piece by piece and given back all at once.
 * A decoded request and its response live in one. Under AddressSanitizer
 * every piece is a block of its own, so that overruns show.
 */
#ifndef MQ_BASE_ARENA_H
#define MQ_BASE_ARENA_H

#include <stddef.h>

#include <mq/record.h>

struct mq_arena_block;

struct mq_arena {
	struct mq_arena_block *blocks;
	char *next;
	size_t left;
	size_t used;     /* bytes handed out since the last reset */
	size_t used_max; /* limit on used; 0 is none */
};

/* An arena that functions of the program may take memory from. */
struct mq_memory {
	struct mq_arena arena;
};

void mq_arena_init(struct mq_arena *arena, size_t used_max);

/* Memory to begin with, aligned for any type: the caller's, who keeps it until the
 * reset. The arena is empty. */
void mq_arena_lend(struct mq_arena *arena, void *memory, size_t size);

/* Gives everything back. The arena may be used again. */
void mq_arena_reset(struct mq_arena *arena);

/* size bytes aligned for any type, not cleared; NULL when out of memory or
 * past the limit. Valid until the reset. */
void *mq_arena_get(struct mq_arena *arena, size_t size);

/* n cleared elements; NULL also when n * size overflows. */
void *mq_arena_array(struct mq_arena *arena, size_t n, size_t size);

/* A copy with a NUL behind it; unset bytes stay unset. On failure data is
 * NULL for set bytes. */
mq_bytes mq_arena_dup(struct mq_arena *arena, mq_bytes b);

#endif
