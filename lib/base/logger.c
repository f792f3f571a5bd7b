/* Formatting lines for the logger callback, and limiting their rate. */
#include "base/logger.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES    1024
#define LIMIT_INTERVAL_US 10000000

void mq_say(const struct mq_logger *logger, mq_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	if (!logger || !logger->fn || level < logger->level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	logger->fn(logger->arg, level, line);
}

void mq_say_limited(const struct mq_logger *logger, struct mq_say_limit *limit, int64_t now_us,
                    mq_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	if (!logger || !logger->fn || level < logger->level)
		return;
	if (now_us < limit->next_us) {
		limit->dropped++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (limit->dropped)
		mq_say(logger, level, "%s (and %u more like it)", line, limit->dropped);
	else
		logger->fn(logger->arg, level, line);
	limit->dropped = 0;
	limit->next_us = now_us + LIMIT_INTERVAL_US;
}
