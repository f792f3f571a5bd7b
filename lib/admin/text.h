/* Texts the admin's results carry. */
#ifndef MQ_ADMIN_TEXT_H
#define MQ_ADMIN_TEXT_H

#include "protocol/field.h"

/* A uuid as Kafka writes it: 22 characters of URL-safe base64; "" for the one
 * that means none. In the result's memory; NULL when that is out. */
const char *mq_adm_uuid(const void *result, const struct mq_uuid *id);

#endif
