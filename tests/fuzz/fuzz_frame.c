/*
 * Frames of any API and version: what decodes must encode, decode again to the
 * same, and take no more memory than allowed.
 *
 * An input is one byte for the direction and a frame: size, API key, version,
 * then the rest of a request, or for a response its header (which in truth
 * does not name key and version) and body. The mutator keeps size, key and
 * version valid most of the time, puts in fresh well-formed bodies now and
 * then, and mends lengths and counts, so that mutations get past the first one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocol/frame.h"
#include "../protocol/support.h"
#include "fuzz/frame_mend.h"

#define HEAD 9u /* direction, size, key, version */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s does not hold\n", #x);                                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void check_again(const struct mq_message *msg, int16_t version, const void *out)
{
	struct mq_arena arena;
	struct mq_cursor in;
	size_t size, size_again;
	uint8_t *data = mq_test_encode(msg, version, out, &size), *again;
	char *json = mq_test_print(msg, version, out), *json_again;
	void *copy;

	mq_arena_init(&arena, 0);
	copy = mq_test_struct(&arena, msg);
	mq_cursor_init(&in, data, size);
	MUST(!mq_message_decode(msg, version, &in, &arena, copy, NULL));
	MUST(in.p == in.end);
	again = mq_test_encode(msg, version, copy, &size_again);
	MUST(size == size_again && memcmp(data, again, size) == 0);
	json_again = mq_test_print(msg, version, copy);
	MUST(strcmp(json, json_again) == 0);
	free(json_again);
	free(again);
	free(json);
	free(data);
	mq_arena_reset(&arena);
}

static void check_body(const struct mq_message *msg, int16_t version, struct mq_cursor *in)
{
	struct mq_arena arena;
	size_t left = mq_cursor_left(in);
	mq_error error;
	void *out;
	mq_err err;

	mq_arena_init(&arena, 0);
	out = mq_test_struct(&arena, msg);
	err = mq_message_decode(msg, version, in, &arena, out, &error);
	MUST(arena.used <= mq_test_growth_max(msg, left) + msg->root->size + 16);
	MUST(!err || err == MQ_E_PROTOCOL || err == MQ_E_UNSUPPORTED_VERSION);
	if (!err)
		check_again(msg, version, out);
	mq_arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mq_request_header header;
	const struct mq_api *api;
	struct mq_cursor in;
	int16_t version;
	int32_t id;
	size_t n;

	if (size < HEAD || mq_frame_size(data + 1, size - 5, &n))
		return -1;
	mq_cursor_init(&in, data + 5, n);
	if (data[0] & 1) {
		api = mq_api_find((int16_t)mq_cursor_be16(&in));
		version = (int16_t)mq_cursor_be16(&in);
		if (!api || mq_response_header_decode(&in, api, version, &id, NULL))
			return 0;
		check_body(api->response, version, &in);
	} else {
		if (mq_request_header_decode(&in, &header, NULL))
			return 0;
		check_body(mq_api_find(header.api_key)->request, header.api_version, &in);
	}
	return 0;
}

/* --- the mutator --------------------------------------------------------- */

static const struct mq_api *pick_api(uint64_t *state)
{
	const struct mq_api *api = NULL;

	while (!api)
		api = mq_api_find((int16_t)(mq_test_rand(state) % MQ_API_KEY_END));
	return api;
}

/* A well-formed frame of a random API. */
static size_t put_fresh(uint8_t *data, size_t size_max, uint64_t *state)
{
	const struct mq_api *api = pick_api(state);
	bool is_response = mq_test_rand(state) & 1;
	const struct mq_message *msg = is_response ? api->response : api->request;
	int16_t version = (int16_t)(mq_test_rand(state) % (uint64_t)(msg->version_max + 1));
	struct mq_request_header header = {api->key, version, 7, mq_str("me")};
	struct mq_wire_out out;
	struct mq_arena arena;
	size_t size = 0;

	mq_arena_init(&arena, 0);
	mq_wire_out_init(&out, 0);
	if (is_response)
		mq_response_header_encode(&out, api, version, 7);
	else
		MUST(!mq_request_header_encode(&header, &out, NULL));
	MUST(!mq_message_encode(
	    msg, version, mq_test_random(&arena, msg, version, mq_test_rand(state)), &out, NULL));
	MUST(!mq_wire_out_finish(&out));
	if (mq_wire_out_size(&out) + HEAD <= size_max) {
		uint8_t *block;

		MUST(!mq_wire_out_join(&out, &block, &size));
		data[0] = is_response;
		mq_put16(data + 5, (uint16_t)api->key);
		mq_put16(data + 7, (uint16_t)version);
		memcpy(data + (is_response ? HEAD : 5), block, size);
		size += is_response ? HEAD : 5;
		free(block);
	}
	mq_wire_out_deinit(&out);
	mq_arena_reset(&arena);
	return size;
}

static void mend(uint8_t *data, size_t size, uint64_t *state)
{
	const struct mq_api *api = mq_api_find((int16_t)mq_get16(data + 5));
	struct mq_request_header header;
	int16_t version = (int16_t)mq_get16(data + 7);
	struct mq_cursor in;
	int32_t id;

	mq_put32(data + 1, (uint32_t)(size - 5));
	if (!api)
		api = pick_api(state);
	if (!mq_api_has(api, version))
		version = (int16_t)((uint16_t)version % (api->version_max + 1));
	mq_put16(data + 5, (uint16_t)api->key);
	mq_put16(data + 7, (uint16_t)version);
	mq_cursor_init(&in, data + (data[0] & 1 ? HEAD : 5), size - (data[0] & 1 ? HEAD : 5));
	if (data[0] & 1 ? mq_response_header_decode(&in, api, version, &id, NULL)
			: mq_request_header_decode(&in, &header, NULL))
		return;
	frame_mend_body(data[0] & 1 ? api->response : api->request, version,
			data + (size - mq_cursor_left(&in)), data + size);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	uint64_t state = seed;

	if (size_max < HEAD)
		return LLVMFuzzerMutate(data, size, size_max);
	if (mq_test_rand(&state) % 16 == 0 || size < HEAD)
		size = put_fresh(data, size_max, &state);
	else
		size = LLVMFuzzerMutate(data, size, size_max);
	if (size >= HEAD && mq_test_rand(&state) % 8)
		mend(data, size, &state);
	return size;
}
