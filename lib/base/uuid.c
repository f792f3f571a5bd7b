/* The text form of ids. */
#include "base/uuid.h"

#include <string.h>

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool mq_uuid_is_zero(const struct mq_uuid *id)
{
	static const struct mq_uuid zero;

	return memcmp(id, &zero, sizeof(zero)) == 0;
}

bool mq_uuid_eq(const struct mq_uuid *a, const struct mq_uuid *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

void mq_uuid_to_text(const struct mq_uuid *id, char out[MQ_UUID_TEXT_SIZE])
{
	uint32_t bits = 0;
	int n_bits = 0;
	size_t i, at = 0;

	for (i = 0; i < sizeof(id->b); i++) {
		bits = bits << 8 | id->b[i];
		for (n_bits += 8; n_bits >= 6; n_bits -= 6)
			out[at++] = base64url[bits >> (n_bits - 6) & 63];
	}
	out[at++] = base64url[bits << (6 - n_bits) & 63];
	out[at] = '\0';
}

bool mq_uuid_from_text(const char *text, struct mq_uuid *out)
{
	struct mq_uuid id;
	uint32_t bits = 0;
	int n_bits = 0;
	size_t i, at = 0;

	if (strlen(text) != MQ_UUID_TEXT_SIZE - 1)
		return false;
	for (i = 0; text[i]; i++) {
		const char *c = strchr(base64url, text[i]);

		if (!c)
			return false;
		bits = bits << 6 | (uint32_t)(c - base64url);
		n_bits += 6;
		if (n_bits >= 8 && at < sizeof(id.b)) {
			n_bits -= 8;
			id.b[at++] = (uint8_t)(bits >> n_bits);
		}
	}
	if (bits & 15) /* the last character carries two bits only */
		return false;
	*out = id;
	return true;
}
