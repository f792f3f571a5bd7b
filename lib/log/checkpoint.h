/*
 * Checkpoint files of a log directory, in Kafka's text format: a line with the
 * version 0, a line with the number of entries, then "topic partition offset"
 * lines. They are replaced as a whole, so a crash leaves the old or the new
 * one; a missing or damaged one is only a reason to work more at start.
 */
#ifndef MQ_LOG_CHECKPOINT_H
#define MQ_LOG_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include <mq/error.h>

#include "base/buf.h"
#include "env/env.h"

#define MQ_CHECKPOINT_RECOVERY    "recovery-point-offset-checkpoint"
#define MQ_CHECKPOINT_REPLICATION "replication-offset-checkpoint"
#define MQ_CHECKPOINT_START       "log-start-offset-checkpoint"
#define MQ_CHECKPOINT_CLEANER     "cleaner-offset-checkpoint"

struct mq_checkpoint_entry {
	const char *topic;
	int32_t partition;
	int64_t offset;
};

/* The contents of one file; the topics point into text. */
struct mq_checkpoint {
	char *text;
	struct mq_checkpoint_entry *entries; /* by topic and partition */
	size_t n;
};

/*
 * Reads a file. MQ_E_NOT_FOUND, MQ_E_CORRUPT, MQ_E_NEWER_FORMAT, MQ_E_IO,
 * MQ_E_NOMEM. Where a partition is named twice, the last line counts.
 */
mq_err mq_checkpoint_read(struct mq_env *env, const char *path, struct mq_checkpoint *out,
			  mq_error *error);
void mq_checkpoint_deinit(struct mq_checkpoint *checkpoint);

/* The offset of a partition, or otherwise. */
int64_t mq_checkpoint_get(const struct mq_checkpoint *checkpoint, const char *topic,
			  int32_t partition, int64_t otherwise);

/* Adds one line to the contents of a file. */
void mq_checkpoint_line(struct mq_buf *lines, const char *topic, int32_t partition, int64_t offset);

/* Puts a new file of n lines in place, durably. */
mq_err mq_checkpoint_write(struct mq_env *env, const char *path, const struct mq_buf *lines,
			   size_t n, mq_error *error);

#endif
