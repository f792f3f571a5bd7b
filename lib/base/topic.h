/* The rule for topic names, which every entrance checks. */
#ifndef MQ_BASE_TOPIC_H
#define MQ_BASE_TOPIC_H

#include <stdbool.h>

#include <mq/record.h>

#define MQ_TOPIC_NAME_MAX 249

/* 1 to 249 of [a-zA-Z0-9._-], and neither "." nor "..". */
static inline bool mq_topic_name_ok(mq_bytes name)
{
	const char *s = (const char *)name.data;

	if (!s || name.size == 0 || name.size > MQ_TOPIC_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.size; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
		      (s[i] >= '0' && s[i] <= '9') || s[i] == '.' || s[i] == '_' || s[i] == '-'))
			return false;
	return !(s[0] == '.' && (name.size == 1 || (name.size == 2 && s[1] == '.')));
}

#endif
