/*
 * Blocks of page-aligned memory that are used again and again: fresh pages
 * cost more than the bytes that are received into them.
 *
 * Blocks are 64 KiB and up, in powers of two. Any thread may get and put. A
 * pool keeps what is put back up to a limit and lives until its last block has
 * come back.
 */
#ifndef MQ_NET_BLOCK_H
#define MQ_NET_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MQ_BLOCK_MIN (64u * 1024)

struct mq_block_pool;

struct mq_block {
	struct mq_block_pool *pool;
	struct mq_block *next; /* the pool's */
	uint8_t *data;
	size_t size;
};

/* kept_max: bytes of unused blocks it keeps. */
struct mq_block_pool *mq_block_pool_new(size_t kept_max);

/* Gives the creator's hold up. */
void mq_block_pool_free(struct mq_block_pool *pool);

/* A block of at least size bytes, contents undefined; NULL when out of memory. */
struct mq_block *mq_block_get(struct mq_block_pool *pool, size_t size);

/* Gives a block back; NULL is allowed. Fit for mq_call_on_release(). */
void mq_block_put(void *block);

/* Frees what nobody has used since the last trim; returns whether unused
 * blocks are left. */
bool mq_block_pool_trim(struct mq_block_pool *pool);

/* Whether unused blocks are kept. */
bool mq_block_pool_kept(struct mq_block_pool *pool);

#endif
