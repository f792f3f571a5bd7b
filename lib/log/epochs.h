/*
 * Which leader wrote which offsets (KIP-101): for each leader epoch the offset
 * it began at, kept in the file leader-epoch-checkpoint:
 *
 *   0                  version
 *   2                  number of entries
 *   0 0                epoch, start offset
 *   3 1507
 */
#ifndef MQ_LOG_EPOCHS_H
#define MQ_LOG_EPOCHS_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>

#include "base/buf.h"

struct mq_epoch {
	int32_t epoch;
	int64_t start_offset;
};

struct mq_epochs {
	struct mq_epoch *all; /* ascending in both fields */
	size_t n, capacity;
};

void mq_epochs_deinit(struct mq_epochs *epochs);

/* True when assigning this epoch would change something. */
bool mq_epochs_is_new(const struct mq_epochs *epochs, int32_t epoch);

/* Room for n more, so that assigning them cannot fail. */
bool mq_epochs_grow(struct mq_epochs *epochs, size_t n) MQ_COLD;
static inline bool mq_epochs_reserve(struct mq_epochs *epochs, size_t n)
{
	return epochs->capacity - epochs->n >= n || mq_epochs_grow(epochs, n);
}

/* An epoch that is newer than the last begins at offset; others change nothing. */
void mq_epochs_assign(struct mq_epochs *epochs, int32_t epoch, int64_t offset);

/* Forgets what begins at or behind the end of a log, or wholly before its
 * start. True when something changed. */
bool mq_epochs_cut_end(struct mq_epochs *epochs, int64_t end_offset);
bool mq_epochs_cut_start(struct mq_epochs *epochs, int64_t start_offset);

int32_t mq_epochs_last(const struct mq_epochs *epochs);
int32_t mq_epochs_at(const struct mq_epochs *epochs, int64_t offset);
void mq_epochs_end(const struct mq_epochs *epochs, int32_t epoch, int32_t current, int64_t log_end,
		   int32_t *found_epoch, int64_t *end_offset);

void mq_epochs_encode(const struct mq_epochs *epochs, struct mq_buf *buf);
/* text ends with a NUL at size. MQ_E_CORRUPT, MQ_E_NEWER_FORMAT, MQ_E_NOMEM. */
mq_err mq_epochs_decode(struct mq_epochs *epochs, const char *text, size_t size);

#endif
