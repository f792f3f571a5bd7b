/* What the tests of this room share. */
#include "protocol/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocol/api.h"
#include "protocol/messages.h"

static const struct mq_message *const records[] = {
    &mq_offset_commit_key_message,
    &mq_offset_commit_value_message,
    &mq_group_metadata_key_message,
    &mq_group_metadata_value_message,
    &mq_transaction_log_key_message,
    &mq_transaction_log_value_message,
    &mq_consumer_protocol_subscription_message,
    &mq_consumer_protocol_assignment_message,
};

const struct mq_message *mq_test_message(size_t i)
{
	for (int16_t key = 0; key < MQ_API_KEY_END; key++) {
		const struct mq_api *api = mq_api_find(key);

		if (!api)
			continue;
		if (i < 2)
			return i == 0 ? api->request : api->response;
		i -= 2;
	}
	return i < mq_array_size(records) ? records[i] : NULL;
}

const struct mq_message *mq_test_message_by_name(const char *name)
{
	const struct mq_message *msg;

	EACH_MESSAGE(msg)
	if (strcmp(msg->name, name) == 0)
		return msg;
	return NULL;
}

void *mq_test_struct(struct mq_arena *arena, const struct mq_message *msg)
{
	void *out = mq_struct_array(arena, msg->root, 1);

	if (!out)
		abort();
	return out;
}

uint64_t mq_test_rand(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

struct filler {
	struct mq_arena *arena;
	int16_t version;
	uint64_t state;
};

static uint64_t below(struct filler *f, uint64_t n)
{
	return mq_test_rand(&f->state) % n;
}

static void *get(struct filler *f, size_t size)
{
	void *p = mq_arena_get(f->arena, size);

	if (!p)
		abort();
	return p;
}

static mq_bytes random_bytes(struct filler *f, bool text)
{
	/* Lengths around those where a varint grows. */
	static const uint8_t sizes[] = {0, 1, 5, 12, 126, 127, 128, 200};
	size_t n = sizes[below(f, below(f, 8) == 0 ? 8 : 4)];
	uint8_t *p = get(f, n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(text ? 'a' + below(f, 26) : below(f, 256));
	return mq_mem(p, n);
}

static void fill_scalar(struct filler *f, uint8_t type, bool null, void *at)
{
	uint64_t v = mq_test_rand(&f->state) >> below(f, 64);
	struct mq_wire_records *r = at;
	double d = (double)(int32_t)v / 8;
	mq_bytes b;

	switch (type) {
	case MQ_TYPE_BOOL:
		*(bool *)at = v & 1;
		break;
	case MQ_TYPE_INT8:
		memcpy(at, &v, 1);
		break;
	case MQ_TYPE_INT16:
	case MQ_TYPE_UINT16:
		memcpy(at, &v, 2);
		break;
	case MQ_TYPE_INT32:
	case MQ_TYPE_UINT32:
		memcpy(at, &v, 4);
		break;
	case MQ_TYPE_INT64:
		memcpy(at, &v, 8);
		break;
	case MQ_TYPE_FLOAT64:
		memcpy(at, &d, 8);
		break;
	case MQ_TYPE_UUID:
		for (size_t i = 0; i < sizeof(struct mq_uuid); i++)
			((uint8_t *)at)[i] = (uint8_t)below(f, 256);
		break;
	case MQ_TYPE_RECORDS:
		b = random_bytes(f, false);
		*r = (struct mq_wire_records){.n_pieces = null ? -1 : b.size > 0};
		r->pieces = get(f, sizeof(*r->pieces));
		*r->pieces = (struct mq_piece){.data = b.data, .size = b.size};
		break;
	default:
		b = random_bytes(f, type == MQ_TYPE_STRING);
		*(mq_bytes *)at = null ? mq_mem(NULL, 0) : b;
	}
}

static void fill_struct(struct filler *f, const struct mq_struct *s, uint8_t *out);

static void fill_array(struct filler *f, const struct mq_field *field, bool null, uint8_t *out)
{
	static const uint8_t sizes[MQ_TYPE_STRUCT] = {
	    [MQ_TYPE_INT16] = 2, [MQ_TYPE_INT32] = 4,   [MQ_TYPE_INT64] = 8,
	    [MQ_TYPE_UUID] = 16, [MQ_TYPE_STRING] = 16, [MQ_TYPE_INT8] = 1,
	};
	int32_t n = null ? -1 : (int32_t)below(f, 4);
	size_t size = mq_field_element(field) ? mq_field_element(field)->size : sizes[field->type];
	uint8_t *elements = get(f, 4 * size);

	memcpy(out + field->offset_n, &n, sizeof(n));
	memcpy(out + field->offset, &elements, sizeof(elements));
	for (int32_t i = 0; i < n; i++, elements += size) {
		if (!mq_field_element(field)) {
			fill_scalar(f, field->type, false, elements);
			continue;
		}
		mq_struct_init(mq_field_element(field), elements);
		fill_struct(f, mq_field_element(field), elements);
	}
}

static void fill_struct(struct filler *f, const struct mq_struct *s, uint8_t *out)
{
	for (uint16_t i = 0; i < s->n_fields; i++) {
		const struct mq_field *field = &s->fields[i];
		bool null = field->nullable && f->version >= field->null_first && below(f, 4) == 0;
		void *element = NULL;

		if (f->version < field->first || f->version > field->last)
			continue;
		if (field->tagged && below(f, 3) == 0)
			continue;
		switch (field->shape) {
		case MQ_SHAPE_ONE:
			fill_scalar(f, field->type, null, out + field->offset);
			break;
		case MQ_SHAPE_STRUCT:
			fill_struct(f, mq_field_element(field), out + field->offset);
			break;
		case MQ_SHAPE_STRUCTP:
			if (!null) {
				element = get(f, mq_field_element(field)->size);
				mq_struct_init(mq_field_element(field), element);
				fill_struct(f, mq_field_element(field), element);
			}
			memcpy(out + field->offset, &element, sizeof(element));
			break;
		default:
			fill_array(f, field, null, out);
		}
	}
}

void *mq_test_random(struct mq_arena *arena, const struct mq_message *msg, int16_t version,
		     uint64_t seed)
{
	struct filler f = {.arena = arena, .version = version, .state = seed};
	void *out = mq_test_struct(arena, msg);

	fill_struct(&f, msg->root, out);
	return out;
}

uint8_t *mq_test_encode(const struct mq_message *msg, int16_t version, const void *in, size_t *size)
{
	struct mq_wire_out out;
	mq_error error;
	uint8_t *data;

	mq_wire_out_init(&out, 0);
	if (mq_message_encode(msg, version, in, &out, &error)) {
		fprintf(stderr, "%s\n", error.text);
		abort();
	}
	if (mq_wire_out_finish(&out) || mq_wire_out_join(&out, &data, size))
		abort();
	mq_wire_out_deinit(&out);
	return data;
}

char *mq_test_print(const struct mq_message *msg, int16_t version, const void *in)
{
	struct mq_buf buf;

	mq_buf_init(&buf, 0);
	if (mq_message_print(msg, version, in, &buf))
		abort();
	mq_buf_put_u8(&buf, 0);
	return (char *)buf.data;
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

uint8_t *mq_test_unhex(const char *hex, size_t *size)
{
	size_t n = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
	uint8_t *data = malloc(MQ_MAX(n, 1u));

	if (!data)
		abort();
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	*size = n;
	return data;
}

size_t mq_test_growth_max(const struct mq_message *msg, size_t size)
{
	/* The arena rounds each array up, and each takes two bytes at least. */
	return size * (MQ_DECODE_GROWTH_MAX + 8) + 512 + msg->root->size;
}
