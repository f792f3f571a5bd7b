/* Texts the admin's results carry. */
#include "admin/text.h"

#include <string.h>

#include "admin/admin.h"

#define UUID_TEXT 22

const char *mq_adm_uuid(const void *result, const struct mq_uuid *id)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	static const struct mq_uuid zero;
	char text[UUID_TEXT];
	uint32_t bits = 0;
	int n_bits = 0, n = 0;

	if (memcmp(id, &zero, sizeof(zero)) == 0)
		return "";
	for (size_t i = 0; i < sizeof(id->b); i++) {
		bits = bits << 8 | id->b[i];
		for (n_bits += 8; n_bits >= 6; n_bits -= 6)
			text[n++] = digits[bits >> (n_bits - 6) & 63];
	}
	text[n++] = digits[bits << (6 - n_bits) & 63];
	return mq_result_str(result, mq_mem(text, (size_t)n));
}
