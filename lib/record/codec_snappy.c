/*
 * snappy. Java wraps raw blocks in xerial's framing, and Java, kafka-python and
 * sarama can read nothing else everywhere; librdkafka and franz-go send one bare
 * block. So the framing is written, and both are read.
 *
 *   magic 8 | version 4 | compatible version 4 | { block length 4 | block }*
 *
 * The library is written in C++, whose runtime costs each process a megabyte of
 * resident memory and a part of its start. So it is loaded when it is first used.
 */
#include "config.h"

#include "record/codec_impl.h"

#include "base/err.h"
#include "base/mem.h"
#include "env/thread.h"

#include <stdatomic.h>
#include <string.h>

#ifdef HAVE_SNAPPY

#include <snappy-c.h>

#include <dlfcn.h>

#define HEAD_SIZE  16u
#define BLOCK_SIZE 32768u

/* Three bytes of snappy can stand for 64, so no true claim is larger. */
#define RATIO_MAX 22u

static const uint8_t head[HEAD_SIZE] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
					0,    0,   0,   1,   0,   0,   0,   1};

#define LIBRARY "libsnappy.so.1"

/* Of the types in <snappy-c.h>. */
#define FUNCTION(name) __typeof__(&snappy_##name) name

static struct {
	FUNCTION(uncompressed_length);
	FUNCTION(uncompress);
	FUNCTION(max_compressed_length);
	FUNCTION(compress);
} snappy;

static struct mq_mutex loading = MQ_MUTEX_INITIALIZER;
static atomic_bool loaded; /* after that snappy does not change */

static bool find(void *library, const char *name, void *function)
{
	void *found = dlsym(library, name);

	/* ISO C knows no cast from an object to a function; POSIX promises this one. */
	memcpy(function, &found, sizeof(found));
	return found != NULL;
}

static bool load_locked(void)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (library && find(library, "snappy_uncompressed_length", &snappy.uncompressed_length) &&
	    find(library, "snappy_uncompress", &snappy.uncompress) &&
	    find(library, "snappy_max_compressed_length", &snappy.max_compressed_length) &&
	    find(library, "snappy_compress", &snappy.compress))
		return true;
	if (library)
		dlclose(library);
	return false;
}

/* What did not succeed is tried again the next time. */
static mq_err load(mq_error *error)
{
	bool ok;

	if (atomic_load(&loaded))
		return MQ_OK;
	mq_mutex_lock(&loading);
	ok = atomic_load(&loaded) || load_locked();
	atomic_store(&loaded, ok);
	mq_mutex_unlock(&loading);
	return ok ? MQ_OK
		  : mq_fail(error, MQ_E_UNSUPPORTED_COMPRESSION_TYPE,
			    "snappy cannot be used: " LIBRARY " cannot be loaded");
}

static mq_err read_block(struct mq_codec_sink *sink, const uint8_t *block, size_t size,
			 mq_error *error)
{
	size_t claimed, room;
	mq_err err;

	if (snappy.uncompressed_length((const char *)block, size, &claimed) != SNAPPY_OK ||
	    claimed / RATIO_MAX > size)
		return mq_codec_damaged(MQ_COMPRESSION_SNAPPY, "impossible length", error);
	if (claimed > sink->size_max - sink->size)
		return mq_fail(error, MQ_E_TOO_BIG, "Records exceed %zu bytes after decompression",
			       sink->size_max);
	if (sink->size + claimed > sink->memory->capacity) {
		err = mq_codec_reserve(sink->memory,
				       MQ_MIN(sink->size_max, (sink->size + claimed) * 2), error);
		if (err)
			return err;
	}
	room = sink->memory->capacity - sink->size;
	if (snappy.uncompress((const char *)block, size, (char *)sink->memory->data + sink->size,
			      &room) != SNAPPY_OK)
		return mq_codec_damaged(MQ_COMPRESSION_SNAPPY, "bad block", error);
	sink->size += room;
	return MQ_OK;
}

static bool at_head(const uint8_t *p, size_t left)
{
	return left >= HEAD_SIZE && memcmp(p, head, 8) == 0;
}

mq_err mq_snappy_read(struct mq_codec_scratch *scratch, mq_bytes packed, struct mq_codec_sink *sink,
		      mq_error *error)
{
	const uint8_t *p = packed.data;
	size_t left = packed.size;
	mq_err err = load(error);

	(void)scratch;
	if (err)
		return err;
	if (!at_head(p, left))
		return read_block(sink, p, left, error);
	while (left > 0 && !err) {
		size_t size;

		if (at_head(p, left)) {
			p += HEAD_SIZE;
			left -= HEAD_SIZE;
			continue;
		}
		if (left < 4)
			return mq_codec_damaged(MQ_COMPRESSION_SNAPPY, "it is cut off", error);
		size = mq_get32(p);
		if (size > left - 4)
			return mq_codec_damaged(MQ_COMPRESSION_SNAPPY, "it is cut off", error);
		err = read_block(sink, p + 4, size, error);
		p += 4 + size;
		left -= 4 + size;
	}
	return err;
}

mq_err mq_snappy_write(struct mq_codec_scratch *scratch, int level, mq_bytes plain, size_t *size,
		       mq_error *error)
{
	const size_t n_blocks = plain.size / BLOCK_SIZE + 1;
	size_t bound;
	const char *in = plain.data;
	size_t left = plain.size;
	uint8_t *p;
	mq_err err;

	(void)level;
	err = load(error);
	if (err)
		return err;
	bound = HEAD_SIZE + n_blocks * (4 + snappy.max_compressed_length(BLOCK_SIZE));
	err = mq_codec_reserve(&scratch->packed, bound, error);
	if (err)
		return err;
	p = scratch->packed.data;
	memcpy(p, head, HEAD_SIZE);
	p += HEAD_SIZE;
	while (left > 0) {
		size_t n = MQ_MIN(left, BLOCK_SIZE);
		size_t written = snappy.max_compressed_length(n);

		if (snappy.compress(in, n, (char *)p + 4, &written) != SNAPPY_OK)
			return mq_codec_no_memory(MQ_COMPRESSION_SNAPPY, error);
		mq_put32(p, (uint32_t)written);
		p += 4 + written;
		in += n;
		left -= n;
	}
	*size = (size_t)(p - scratch->packed.data);
	return MQ_OK;
}

#endif
