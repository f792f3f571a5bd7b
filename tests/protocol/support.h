/* What the tests of this room share: all messages, random contents, hex. */
#ifndef MQ_TESTS_PROTOCOL_SUPPORT_H
#define MQ_TESTS_PROTOCOL_SUPPORT_H

#include "protocol/wire.h"

#define EACH_MESSAGE(msg)                                                                          \
	for (size_t i_##msg = 0; ((msg) = mq_test_message(i_##msg)) != NULL; i_##msg++)
#define EACH_VERSION(msg, v) for (int16_t v = (msg)->version_min; v <= (msg)->version_max; v++)

/* Message i of all: requests, responses, records; NULL behind the last. */
const struct mq_message *mq_test_message(size_t i);
const struct mq_message *mq_test_message_by_name(const char *name);

/* A new struct of msg, in the arena, at its defaults. */
void *mq_test_struct(struct mq_arena *arena, const struct mq_message *msg);

/* The same with random values in the fields that the version has. */
void *mq_test_random(struct mq_arena *arena, const struct mq_message *msg, int16_t version,
		     uint64_t seed);

uint64_t mq_test_rand(uint64_t *state);

/* The message on the wire in one block; aborts when that fails. Free with free(). */
uint8_t *mq_test_encode(const struct mq_message *msg, int16_t version, const void *in,
			size_t *size);

/* The message as JSON, NUL-terminated. Free with free(). */
char *mq_test_print(const struct mq_message *msg, int16_t version, const void *in);

/* A block of its own size with the bytes of a hex text; "-" is none. */
uint8_t *mq_test_unhex(const char *hex, size_t *size);

/* What decoding size bytes may take from an arena, its rounding included. */
size_t mq_test_growth_max(const struct mq_message *msg, size_t size);

#endif
