/*
 * Memory of decompressed records, used again and again: fresh pages would cost
 * more than decompressing into them.
 *
 * A codec writes into its scratch. What is large is taken out of the scratch,
 * which gets an unused buffer in its place; what is small is copied, many to
 * one buffer.
 */
#ifndef MQ_CONSUMER_PLAIN_H
#define MQ_CONSUMER_PLAIN_H

#include <mq/error.h>

#include "consumer/held.h"
#include "record/codec.h"

struct mq_plain_pool;

/* One buffer. */
struct mq_plain {
	struct mq_held held;
	struct mq_plain_pool *pool;
	struct mq_plain *next; /* the pool's */
	struct mq_codec_memory memory;
	size_t used;
};

/* kept_max: bytes of unused buffers it keeps. It lives until its last buffer
 * has come back. NULL: out of memory. */
struct mq_plain_pool *mq_plain_pool_new(size_t kept_max);
void mq_plain_pool_free(struct mq_plain_pool *pool);

/*
 * Keeps bytes that lie in the scratch since the last decompression: *plain then
 * points to where they stay as long as the buffer, *kept, which the caller
 * holds a reference to. pack is a buffer to copy small ones into, or NULL; it
 * has to be the caller's alone to write to. MQ_E_NOMEM.
 */
mq_err mq_plain_keep(struct mq_plain_pool *pool, struct mq_codec_scratch *scratch,
		     struct mq_plain *pack, mq_bytes *plain, struct mq_plain **kept);

#endif
