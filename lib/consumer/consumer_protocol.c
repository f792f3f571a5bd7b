/* Subscriptions and assignments to bytes and back. */
#include "consumer/consumer_protocol.h"

#include <stdlib.h>

#include "base/err.h"
#include "protocol/messages/consumer_protocol.h"
#include "protocol/wire.h"

static mq_err encode(const struct mq_message *message, int16_t version, const void *in,
		     struct mq_buf *out, mq_error *error)
{
	struct mq_wire_out wire;
	uint8_t *data = NULL;
	size_t size = 0;
	mq_err err;

	mq_wire_out_init(&wire, 0);
	err = mq_message_encode(message, version, in, &wire, error);
	if (err == MQ_OK)
		err = mq_wire_out_finish(&wire);
	if (err == MQ_OK)
		err = mq_wire_out_join(&wire, &data, &size);
	if (err == MQ_OK) {
		mq_buf_put_be16(out, (uint16_t)version);
		mq_buf_put_bytes(out, data, size);
		if (out->failed)
			err = mq_fail(error, MQ_E_NOMEM, "no room for a member's message");
	}
	free(data);
	mq_wire_out_deinit(&wire);
	return err;
}

static mq_err decode(const struct mq_message *message, mq_bytes in, struct mq_arena *arena,
		     void *out, mq_error *error)
{
	struct mq_cursor cursor;
	int16_t version;

	mq_cursor_init(&cursor, in.data, in.size);
	version = (int16_t)mq_cursor_be16(&cursor);
	if (cursor.failed)
		return mq_fail(error, MQ_E_PROTOCOL, "a member's message of %zu bytes", in.size);
	if (version < 0)
		return mq_fail(error, MQ_E_UNSUPPORTED_VERSION, "a member's message of version %d",
			       version);
	return mq_message_decode(message, MQ_MIN(version, MQ_CONSUMER_PROTOCOL_MAX), &cursor, arena,
				 out, error);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_topic_and_number(const void *a, const void *b)
{
	const mq_topic_partition *x = a, *y = b;
	int r = strcmp(x->topic, y->topic);

	return r ? r : (x->partition > y->partition) - (x->partition < y->partition);
}

static mq_err out_of_memory(mq_error *error)
{
	return mq_fail(error, MQ_E_NOMEM, "out of memory for a member's message");
}

static mq_err fill_subscription(const mq_subscription *in, struct mq_arena *arena,
				struct mq_consumer_protocol_subscription *out, mq_error *error)
{
	const char **topics = mq_arena_array(arena, in->n_topics, sizeof(char *));
	mq_topic_partition *owned = mq_arena_array(arena, in->n_owned, sizeof(*owned));
	int32_t *numbers = mq_arena_array(arena, in->n_owned, sizeof(*numbers));
	struct mq_consumer_protocol_subscription_topic_partition *to = NULL;

	mq_set_defaults(mq_consumer_protocol_subscription, out);
	out->topics = mq_arena_array(arena, in->n_topics, sizeof(*out->topics));
	out->owned_partitions =
	    mq_new(arena, mq_consumer_protocol_subscription_topic_partition, in->n_owned);
	if (!topics || !owned || !numbers || !out->topics || !out->owned_partitions)
		return out_of_memory(error);
	if (in->n_topics > 0)
		memcpy(topics, in->topics, in->n_topics * sizeof(char *));
	if (in->n_owned > 0)
		memcpy(owned, in->owned, in->n_owned * sizeof(*owned));
	qsort(topics, in->n_topics, sizeof(char *), by_name);
	qsort(owned, in->n_owned, sizeof(*owned), by_topic_and_number);
	for (size_t i = 0; i < in->n_topics; i++)
		out->topics[out->n_topics++] = mq_str(topics[i]);
	for (size_t i = 0; i < in->n_owned; i++) {
		if (!to || strcmp(owned[i].topic, owned[i - 1].topic) != 0) {
			to = &out->owned_partitions[out->n_owned_partitions++];
			to->topic = mq_str(owned[i].topic);
			to->partitions = numbers + i;
		}
		to->partitions[to->n_partitions++] = owned[i].partition;
	}
	out->user_data = in->user_data;
	out->generation_id = MQ_MAX(in->generation, -1);
	if (in->rack)
		out->rack_id = mq_str(in->rack);
	return MQ_OK;
}

mq_err mq_subscription_encode(const mq_subscription *subscription, int16_t version,
			      struct mq_buf *out, mq_error *error)
{
	struct mq_consumer_protocol_subscription message;
	struct mq_arena arena;
	mq_err err;

	mq_arena_init(&arena, 0);
	err = fill_subscription(subscription, &arena, &message, error);
	if (err == MQ_OK)
		err = encode(&mq_consumer_protocol_subscription_message, version, &message, out,
			     error);
	mq_arena_reset(&arena);
	return err;
}

/* A C string; NULL when out of memory. */
static const char *text(struct mq_arena *arena, mq_bytes b)
{
	return mq_arena_dup(arena, b).data;
}

mq_err mq_subscription_decode(mq_bytes in, struct mq_arena *arena, mq_subscription *out,
			      mq_error *error)
{
	struct mq_consumer_protocol_subscription message;
	mq_err err = decode(&mq_consumer_protocol_subscription_message, in, arena, &message, error);
	size_t n_owned = 0, n = 0;
	const char **topics, *rack = NULL;
	mq_topic_partition *owned;

	if (err != MQ_OK)
		return err;
	for (int32_t t = 0; t < message.n_owned_partitions; t++)
		n_owned += (size_t)message.owned_partitions[t].n_partitions;
	topics = mq_arena_array(arena, (size_t)message.n_topics, sizeof(char *));
	owned = mq_arena_array(arena, n_owned, sizeof(*owned));
	if (message.rack_id.size > 0)
		rack = text(arena, message.rack_id);
	if (!topics || !owned || (message.rack_id.size > 0 && !rack))
		return out_of_memory(error);
	for (int32_t i = 0; i < message.n_topics; i++) {
		topics[i] = text(arena, message.topics[i]);
		if (!topics[i])
			return out_of_memory(error);
	}
	for (int32_t t = 0; t < message.n_owned_partitions; t++) {
		const char *topic = text(arena, message.owned_partitions[t].topic);

		if (!topic)
			return out_of_memory(error);
		for (int32_t i = 0; i < message.owned_partitions[t].n_partitions; i++)
			owned[n++] =
			    (mq_topic_partition){topic, message.owned_partitions[t].partitions[i]};
	}
	out->rack = rack;
	out->generation = MQ_MAX(message.generation_id, -1);
	out->topics = topics;
	out->n_topics = (size_t)message.n_topics;
	out->owned = owned;
	out->n_owned = n;
	out->user_data = message.user_data;
	return MQ_OK;
}

/* --- assignments ------------------------------------------------------------------- */

/* Topics in the order of their first partition. An answer has few topics, and
 * mostly those of a topic together, so the search begins at the last one. */
static struct mq_consumer_protocol_assignment_topic_partition *
topic_of(struct mq_consumer_protocol_assignment *message, const char *topic)
{
	for (int32_t t = message->n_assigned_partitions - 1; t >= 0; t--)
		if (mq_bytes_eq(message->assigned_partitions[t].topic, mq_str(topic)))
			return &message->assigned_partitions[t];
	message->assigned_partitions[message->n_assigned_partitions].topic = mq_str(topic);
	return &message->assigned_partitions[message->n_assigned_partitions++];
}

static mq_err fill_assignment(const mq_member_assignment *in, struct mq_arena *arena,
			      struct mq_consumer_protocol_assignment *out, mq_error *error)
{
	int32_t *numbers = mq_arena_array(arena, in->n, sizeof(*numbers));

	mq_set_defaults(mq_consumer_protocol_assignment, out);
	out->user_data = in->user_data;
	out->assigned_partitions =
	    mq_new(arena, mq_consumer_protocol_assignment_topic_partition, in->n);
	if (!numbers || !out->assigned_partitions)
		return out_of_memory(error);
	for (size_t i = 0; i < in->n; i++)
		topic_of(out, in->partitions[i].topic)->n_partitions++;
	for (int32_t t = 0; t < out->n_assigned_partitions; t++) {
		out->assigned_partitions[t].partitions = numbers;
		numbers += out->assigned_partitions[t].n_partitions;
		out->assigned_partitions[t].n_partitions = 0;
	}
	for (size_t i = 0; i < in->n; i++) {
		struct mq_consumer_protocol_assignment_topic_partition *to =
		    topic_of(out, in->partitions[i].topic);

		to->partitions[to->n_partitions++] = in->partitions[i].partition;
	}
	return MQ_OK;
}

mq_err mq_assignment_encode(const mq_member_assignment *assignment, int16_t version,
			    struct mq_buf *out, mq_error *error)
{
	struct mq_consumer_protocol_assignment message;
	struct mq_arena arena;
	mq_err err;

	mq_arena_init(&arena, 0);
	err = fill_assignment(assignment, &arena, &message, error);
	if (err == MQ_OK)
		err =
		    encode(&mq_consumer_protocol_assignment_message, version, &message, out, error);
	mq_arena_reset(&arena);
	return err;
}

mq_err mq_assignment_decode(mq_bytes in, struct mq_arena *arena, mq_member_assignment *out,
			    mq_error *error)
{
	struct mq_consumer_protocol_assignment message;
	mq_err err = decode(&mq_consumer_protocol_assignment_message, in, arena, &message, error);
	size_t n = 0, k = 0;
	mq_topic_partition *partitions;

	if (err != MQ_OK)
		return err;
	for (int32_t t = 0; t < message.n_assigned_partitions; t++)
		n += (size_t)message.assigned_partitions[t].n_partitions;
	partitions = mq_arena_array(arena, n, sizeof(*partitions));
	if (!partitions)
		return out_of_memory(error);
	for (int32_t t = 0; t < message.n_assigned_partitions; t++) {
		const char *topic = text(arena, message.assigned_partitions[t].topic);

		if (!topic)
			return out_of_memory(error);
		for (int32_t i = 0; i < message.assigned_partitions[t].n_partitions; i++)
			partitions[k++] = (mq_topic_partition){
			    topic, message.assigned_partitions[t].partitions[i]};
	}
	out->partitions = partitions;
	out->n = n;
	out->user_data = message.user_data;
	return MQ_OK;
}
