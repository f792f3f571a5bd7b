/* Ids of topics and clusters: 16 bytes, and their text in base64url (KIP-516). */
#ifndef MQ_BASE_UUID_H
#define MQ_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define MQ_UUID_TEXT_SIZE 23u /* 22 characters of base64url and a NUL */

struct mq_uuid {
	uint8_t b[16];
};

bool mq_uuid_is_zero(const struct mq_uuid *id);
bool mq_uuid_eq(const struct mq_uuid *a, const struct mq_uuid *b);
void mq_uuid_to_text(const struct mq_uuid *id, char out[MQ_UUID_TEXT_SIZE]);
bool mq_uuid_from_text(const char *text, struct mq_uuid *out);

#endif
