/* Values of configuration keys as text: checking and reading them. */
#ifndef MQ_BASE_CONF_VALUE_H
#define MQ_BASE_CONF_VALUE_H

#include "base/conf.h"

/* The text without the white space around it, as Kafka takes it. */
mq_bytes mq_conf_trim(const char *value);

/* Whether a trimmed value fits the key: MQ_OK or MQ_E_CONFIG. name is what the
 * user wrote. */
mq_err mq_conf_value_check(const struct mq_conf_key *key, const char *name, mq_bytes value,
			   mq_error *error);

/* Numbers without the locale having a say; false when the text is none or it
 * does not fit. */
bool mq_conf_parse_bool(mq_bytes text, bool *out);
bool mq_conf_parse_long(mq_bytes text, int64_t *out);
bool mq_conf_parse_double(mq_bytes text, double *out);

#endif
