/* Points and lengths of time as ISO 8601 writes them. */
#ifndef MQ_EXAMPLES_ISO_TIME_H
#define MQ_EXAMPLES_ISO_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* "2026-11-22T13:14:15.678" to milliseconds since 1970: UTC, unless "Z", "+01",
 * "+0100" or "+01:00" follows. The fraction may be left out. */
bool iso_time(const char *text, int64_t *ms);

/* "P1DT2H3M4.5S" to milliseconds, in the form of Java's Duration: days, hours,
 * minutes and seconds, each with a sign if need be. */
bool iso_duration(const char *text, int64_t *ms);

#endif
