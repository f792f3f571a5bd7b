/*
 * What the library has to say goes to a callback of the application, with a
 * level; repeated lines of one place are rate limited. Nothing is written
 * anywhere else.
 */
#ifndef MQ_BASE_LOGGER_H
#define MQ_BASE_LOGGER_H

#include <stdint.h>

#include <mq/config.h>

#include "base/hint.h"

struct mq_logger {
	mq_logger_cb *fn; /* NULL: silence */
	void *arg;
	mq_level level;   /* lines below it are dropped */
};

void mq_say(const struct mq_logger *logger, mq_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))) MQ_COLD;

/* One place that must not flood: at most one line per interval; the next line
 * that passes says how many were left out. */
struct mq_say_limit {
	int64_t next_us;
	uint32_t dropped;
};

void mq_say_limited(const struct mq_logger *logger, struct mq_say_limit *limit, int64_t now_us,
                    mq_level level, const char *fmt, ...) __attribute__((format(printf, 5, 6))) MQ_COLD;

#endif
