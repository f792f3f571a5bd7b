/*
 * What a connection brings, up to the broker core and back: frames of every
 * API that is advertised, decoded and handed to a core on a simulated disk.
 * Each is answered exactly once, and the answer encodes in the version that
 * was asked in and decodes again.
 *
 * input: flags 1 | frames, each behind its size
 * The mutator changes one frame at a time, mends its lengths, counts and
 * checksums, and puts in fresh requests that name what there is.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "broker/core.h"
#include "broker/internal.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "record/batch.h"
#include "../protocol/support.h"
#include "fuzz/frame_mend.h"
#include "fuzz/record_seed.h"
#include "sim/sim_env.h"

SEED_QUICK_ASAN;

#define FRAMES_MAX 16
#define FRAME_HEAD 8u /* size, key, version */
#define SEC        INT64_C(1000000)

enum { CANCEL = 1, LATER = 2 };

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s does not hold\n", #x);                                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* --- the disk every input starts from ---------------------------------------------- */

static struct sim_env *disk;
static mq_conf *conf;
static struct mq_uuid topic_id;

static void rearm(void *arg, int64_t due_us)
{
	(void)arg;
	(void)due_us;
}

static struct mq_core *open_core(struct sim_env *sim)
{
	const struct mq_core_args args = {.env = sim_env_get(sim), .conf = conf, .rearm = rearm};
	const struct mq_endpoint endpoint = {"inproc", "localhost", 9092};
	struct mq_core *core;

	MUST(!mq_core_open(&core, &args, NULL));
	MUST(!mq_core_set_endpoints(core, &endpoint, 1));
	return core;
}

static void stop_core(struct sim_env *sim, struct mq_core *core)
{
	mq_core_stop(core);
	sim_env_run_jobs(sim);
	sim_env_inline_jobs(sim, true);
}

struct asked {
	struct mq_call call;
	const struct mq_api *api;
	uint8_t *frame;
	int done;
	mq_err err;
};

static void on_done(struct mq_call *call, mq_err err)
{
	struct asked *asked = mq_container_of(call, struct asked, call);

	asked->done++;
	asked->err = err;
}

static void ask(struct mq_core *core, struct asked *asked)
{
	static const struct mq_peer peer = {"inproc", "User:ANONYMOUS", "127.0.0.1", 1, true};
	struct mq_service *service = mq_core_service(core);

	asked->call.peer = &peer;
	asked->call.done = on_done;
	service->handle(service, &asked->call);
}

/* Groups have a coordinator from the start. */
static void make_coordinator(struct mq_core *core)
{
	struct mq_find_coordinator_request request;
	struct asked asked = {.api = mq_api_find(MQ_API_FIND_COORDINATOR)};

	mq_set_defaults(mq_find_coordinator_request, &request);
	request.key = mq_str("t");
	asked.call.api_key = MQ_API_FIND_COORDINATOR;
	asked.call.request = &request;
	mq_arena_init(&asked.call.arena, 0);
	ask(core, &asked);
	sim_env_run_jobs(disk);
	MUST(asked.done == 1 && !asked.err);
	mq_call_release(&asked.call);
}

static void make_disk(void)
{
	struct mq_create_topics_request request;
	struct mq_create_topics_request_topic topic;
	struct mq_create_topics_response *response;
	struct asked asked = {.api = mq_api_find(MQ_API_CREATE_TOPICS)};
	struct mq_core *core;

	disk = sim_env_new(7);
	sim_env_set_wall(disk, GOLDEN_TIMESTAMP);
	conf = mq_conf_new(MQ_ROLE_BROKER);
	MUST(conf && !mq_conf_set(conf, "log.dirs", "data", NULL) &&
	     !mq_conf_set(conf, "offsets.topic.num.partitions", "1", NULL) &&
	     !mq_conf_set(conf, "group.initial.rebalance.delay.ms", "0", NULL) &&
	     !mq_conf_set(conf, "group.min.session.timeout.ms", "0", NULL));
	core = open_core(disk);
	make_coordinator(core);
	mq_set_defaults(mq_create_topics_request, &request);
	mq_set_defaults(mq_create_topics_request_topic, &topic);
	topic.name = mq_str("t");
	topic.num_partitions = 2;
	topic.replication_factor = 1;
	request.topics = &topic;
	request.n_topics = 1;
	request.timeout_ms = 1000;
	asked.call.api_key = MQ_API_CREATE_TOPICS;
	asked.call.api_version = 7;
	asked.call.request = &request;
	mq_arena_init(&asked.call.arena, 0);
	ask(core, &asked);
	sim_env_run_jobs(disk);
	MUST(asked.done == 1 && !asked.err);
	response = asked.call.response;
	MUST(response->topics[0].error_code == 0);
	topic_id = response->topics[0].topic_id;
	mq_call_release(&asked.call);
	stop_core(disk, core);
	mq_core_close(core);
	sim_env_inline_jobs(disk, false);
}

/* --- one input ------------------------------------------------------------------- */

/* So that an input cannot ask for more than it has time for. */
static void clamp(struct mq_call *call)
{
	struct mq_create_topics_request *create = call->request;
	struct mq_create_partitions_request *more = call->request;

	if (call->api_key == MQ_API_CREATE_TOPICS) {
		for (int32_t i = 0; i < create->n_topics; i++)
			if (create->topics[i].num_partitions > 4)
				create->topics[i].num_partitions = 4;
	} else if (call->api_key == MQ_API_CREATE_PARTITIONS) {
		for (int32_t i = 0; i < more->n_topics; i++)
			if (more->topics[i].count > 8)
				more->topics[i].count = 8;
	}
}

/* False: the connection would be closed here. */
static bool begin(struct mq_core *core, const uint8_t *data, size_t size, struct asked *asked)
{
	struct mq_request_header header;
	struct mq_call *call = &asked->call;
	struct mq_cursor in;
	int16_t min, max;

	/* A block of its own size: under AddressSanitizer that is the check. */
	asked->frame = malloc(MQ_MAX(size, 1u));
	MUST(asked->frame);
	memcpy(asked->frame, data, size);
	mq_cursor_init(&in, asked->frame, size);
	if (mq_request_header_decode(&in, &header, NULL) ||
	    !mq_core_api_range(core, header.api_key, &min, &max) || header.api_version < min ||
	    header.api_version > max)
		return false;
	asked->api = mq_api_find(header.api_key);
	call->api_key = header.api_key;
	call->api_version = header.api_version;
	call->client_id = header.client_id;
	call->request = mq_arena_get(&call->arena, asked->api->request->root->size);
	MUST(call->request);
	if (mq_message_decode(asked->api->request, header.api_version, &in, &call->arena,
			      call->request, NULL))
		return false;
	clamp(call);
	return true;
}

static bool has_files(const struct mq_wire_out *out)
{
	for (size_t i = 0; i < out->n_segments; i++)
		if (!mq_wire_out_segment(out, i).data)
			return true;
	return false;
}

/* What is sent is what a client can read. */
static void check_answer(const struct asked *asked)
{
	const struct mq_message *msg = asked->api->response;
	int16_t version = asked->call.api_version;
	struct mq_wire_out out;
	struct mq_arena arena;
	struct mq_cursor in;
	mq_error error;
	uint8_t *data;
	size_t size;

	mq_wire_out_init(&out, 0);
	if (mq_message_encode(msg, version, asked->call.response, &out, &error)) {
		fprintf(stderr, "the answer to %s %d: %s\n", asked->api->name, version, error.text);
		abort();
	}
	MUST(!mq_wire_out_finish(&out));
	if (!has_files(&out)) {
		MUST(!mq_wire_out_join(&out, &data, &size));
		mq_arena_init(&arena, 0);
		mq_cursor_init(&in, data, size);
		MUST(!mq_message_decode(msg, version, &in, &arena, mq_test_struct(&arena, msg),
					&error));
		MUST(in.p == in.end);
		mq_arena_reset(&arena);
		free(data);
	}
	mq_wire_out_deinit(&out);
}

static void check(const struct asked *asked)
{
	const struct mq_produce_request *produce = asked->call.request;

	if (asked->done != 1) {
		fprintf(stderr, "%s %d was answered %d times\n", asked->api->name,
			asked->call.api_version, asked->done);
		abort();
	}
	if (asked->err)
		MUST(asked->err == MQ_E_PROTOCOL || asked->err == MQ_E_CLOSED ||
		     asked->err == MQ_E_DISCONNECTED);
	else if (asked->call.response)
		check_answer(asked);
	else
		MUST(asked->call.api_key == MQ_API_PRODUCE && produce->acks == 0);
}

static void finish(struct sim_env *sim, struct mq_core *core, uint8_t flags, struct asked *asked,
		   int n)
{
	struct mq_service *service = mq_core_service(core);

	if (flags & LATER) {
		sim_env_run_jobs(sim);
		sim_env_advance(sim, 3600 * SEC);
		mq_core_tick(core, mq_env_now_us(sim_env_get(sim)));
		sim_env_run_jobs(sim);
	}
	for (int i = 0; i < n && flags & CANCEL; i++)
		if (!asked[i].done && service->cancel(service, &asked[i].call))
			MUST(asked[i].done == 1 && asked[i].err == MQ_E_DISCONNECTED);
	stop_core(sim, core);
	for (int i = 0; i < n; i++) {
		check(&asked[i]);
		mq_call_release(&asked[i].call);
		free(asked[i].frame);
	}
	mq_core_close(core);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct asked asked[FRAMES_MAX];
	const uint8_t *p = data + 1, *end = data + size;
	struct sim_env *sim;
	struct mq_core *core;
	size_t n_frame;
	int n = 0;

	if (!disk)
		make_disk();
	if (size < 1 + FRAME_HEAD)
		return -1;
	sim = sim_env_copy(disk);
	core = open_core(sim);
	memset(asked, 0, sizeof(asked));
	for (; n < FRAMES_MAX && end - p >= 4; p += 4 + n_frame) {
		if (mq_frame_size(p, (size_t)(end - p) - 4, &n_frame))
			break;
		mq_arena_init(&asked[n].call.arena, 0);
		if (!begin(core, p + 4, n_frame, &asked[n])) {
			mq_arena_reset(&asked[n].call.arena);
			free(asked[n].frame);
			break;
		}
		ask(core, &asked[n++]);
		/* The correlation id, which nobody else looks at, says what comes next. */
		if (p[8] & 1)
			sim_env_run_jobs(sim);
		sim_env_advance(sim, p[9] * INT64_C(1000));
		mq_core_tick(core, mq_env_now_us(sim_env_get(sim)));
	}
	finish(sim, core, data[0], asked, n);
	sim_env_free(sim);
	return 0;
}

/* --- fresh requests ---------------------------------------------------------------- */

static const char *const words[] = {
    "t",
    "t",
    "t",
    "consumer",
    "range",
    "u",
    "u",
    "",
    "..",
    "1",
    "1000",
    "-1",
    "true",
    "delete",
    "compact",
    "zstd",
    "uncompressed",
    "LogAppendTime",
    "cleanup.policy",
    "retention.ms",
    "segment.bytes",
    "max.message.bytes",
    "compression.type",
    "message.timestamp.type",
    "min.insync.replicas",
};

struct tamer {
	struct mq_arena *arena;
	uint64_t state;
};

static uint64_t below(struct tamer *t, uint64_t n)
{
	return mq_test_rand(&t->state) % n;
}

static void tame_records(struct tamer *t, struct mq_wire_records *records)
{
	size_t size_max = 4096;
	uint8_t *data = mq_arena_get(t->arena, size_max);
	struct mq_piece *piece = mq_arena_get(t->arena, sizeof(*piece));
	unsigned x = (unsigned)mq_test_rand(&t->state);
	size_t size;

	MUST(data && piece);
	size = seed_golden(data, size_max, 0, 2, &x);
	*piece = (struct mq_piece){.data = data, .size = size};
	*records = (struct mq_wire_records){piece, 1};
}

static void tame_scalar(struct tamer *t, uint8_t type, void *at)
{
	int64_t small = (int64_t)below(t, below(t, 4) ? 3 : 12) - (below(t, 8) == 0);

	if (below(t, 8) == 0)
		return;
	switch (type) {
	case MQ_TYPE_INT8:
		memcpy(at, &(int8_t){(int8_t)small}, 1);
		break;
	case MQ_TYPE_INT16:
		memcpy(at, &(int16_t){(int16_t)small}, 2);
		break;
	case MQ_TYPE_INT32:
		memcpy(at, &(int32_t){(int32_t)small}, 4);
		break;
	case MQ_TYPE_INT64:
		memcpy(at, &small, 8);
		break;
	case MQ_TYPE_UUID:
		memcpy(at, &topic_id, sizeof(topic_id));
		break;
	case MQ_TYPE_STRING:
		*(mq_bytes *)at = mq_str(words[below(t, mq_array_size(words))]);
		break;
	case MQ_TYPE_RECORDS:
		tame_records(t, at);
		break;
	default:
		break;
	}
}

/* Names, numbers and records that mean something to the core. */
static void tame(struct tamer *t, const struct mq_struct *s, int16_t version, uint8_t *out)
{
	for (uint16_t i = 0; i < s->n_fields; i++) {
		const struct mq_field *field = &s->fields[i];
		const struct mq_struct *element = mq_field_element(field);
		uint8_t *at = out + field->offset, *elements;
		int32_t n;

		if (version < field->first || version > field->last)
			continue;
		switch (field->shape) {
		case MQ_SHAPE_ONE:
			tame_scalar(t, field->type, at);
			break;
		case MQ_SHAPE_STRUCT:
			tame(t, element, version, at);
			break;
		case MQ_SHAPE_STRUCTP:
			memcpy(&elements, at, sizeof(elements));
			if (elements)
				tame(t, element, version, elements);
			break;
		default:
			memcpy(&n, out + field->offset_n, sizeof(n));
			memcpy(&elements, at, sizeof(elements));
			for (int32_t k = 0; k < n && element; k++)
				tame(t, element, version, elements + (size_t)k * element->size);
			for (int32_t k = 0; k < n && field->type == MQ_TYPE_INT32; k++)
				tame_scalar(t, field->type, elements + 4 * (size_t)k);
		}
	}
}

static const struct mq_handler *pick_handler(uint64_t *state)
{
	int n;
	const struct mq_handler *all = mq_handlers(&n);

	return &all[mq_test_rand(state) % (uint64_t)n];
}

/* A frame of a random API; 0 when it does not fit. */
static size_t put_fresh(uint8_t *data, size_t size_max, uint64_t *state)
{
	const struct mq_handler *handler = pick_handler(state);
	const struct mq_message *msg = mq_api_find(handler->key)->request;
	int16_t version =
	    (int16_t)(handler->min +
		      (int16_t)(mq_test_rand(state) % (uint64_t)(handler->max - handler->min + 1)));
	struct mq_request_header header = {handler->key, version, (int32_t)mq_test_rand(state),
					   mq_str("me")};
	struct mq_arena arena;
	struct tamer t = {&arena, mq_test_rand(state)};
	struct mq_wire_out out;
	size_t size = 0;
	uint8_t *block;
	void *request;

	mq_arena_init(&arena, 0);
	mq_wire_out_init(&out, 0);
	request = mq_test_random(&arena, msg, version, mq_test_rand(state));
	tame(&t, msg->root, version, request);
	MUST(!mq_frame_request(&header, request, &out, NULL));
	if (mq_wire_out_size(&out) <= size_max) {
		MUST(!mq_wire_out_join(&out, &block, &size));
		memcpy(data, block, size);
		free(block);
	}
	mq_wire_out_deinit(&out);
	mq_arena_reset(&arena);
	return size;
}

/* --- the mutator ------------------------------------------------------------------- */

static void mend(uint8_t *frame, size_t size, uint64_t *state)
{
	struct mq_request_header header;
	const struct mq_api *api;
	struct mq_cursor in;
	int16_t key = (int16_t)mq_get16(frame + 4), version = (int16_t)mq_get16(frame + 6), min,
		max;

	mq_put32(frame, (uint32_t)(size - 4));
	if (!mq_core_api_range(NULL, key, &min, &max)) {
		key = pick_handler(state)->key;
		(void)mq_core_api_range(NULL, key, &min, &max);
	}
	if (version < min || version > max)
		version = (int16_t)((uint16_t)version % (max + 1));
	version = MQ_MAX(version, min);
	mq_put16(frame + 4, (uint16_t)key);
	mq_put16(frame + 6, (uint16_t)version);
	mq_cursor_init(&in, frame + 4, size - 4);
	if (mq_request_header_decode(&in, &header, NULL))
		return;
	api = mq_api_find(key);
	frame_mend_body(api->request, version, frame + (size - mq_cursor_left(&in)), frame + size);
}

/* Where one of the frames begins, chosen at random, and how long it is. */
static size_t pick_frame(const uint8_t *data, size_t size, size_t *n, uint64_t *state)
{
	size_t at = 1, next, count = 0, found = 1;

	*n = 0;
	for (; size - at >= FRAME_HEAD; at = next) {
		next = at + 4 + MQ_MIN((size_t)mq_get32(data + at), size - at - 4);
		if (next - at < FRAME_HEAD)
			break;
		if (mq_test_rand(state) % ++count == 0) {
			found = at;
			*n = next - at;
		}
	}
	return found;
}

/* Changes a frame in its place; the ones behind it move. */
static size_t mutate_frame(uint8_t *data, size_t size, size_t size_max, uint64_t *state)
{
	size_t n, n_max, n_new, at = pick_frame(data, size, &n, state);
	uint8_t *frame;

	n_max = n + MQ_MIN(size_max - size, 128u);
	if (n < FRAME_HEAD)
		return LLVMFuzzerMutate(data, size, size_max);
	frame = malloc(n_max);
	MUST(frame);
	memcpy(frame, data + at, n);
	n_new = 4 + LLVMFuzzerMutate(frame + 4, n - 4, n_max - 4);
	if (n_new >= FRAME_HEAD) {
		if (mq_test_rand(state) % 16)
			mend(frame, n_new, state);
		memmove(data + at + n_new, data + at + n, size - at - n);
		memcpy(data + at, frame, n_new);
		size += n_new - n;
	}
	free(frame);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	uint64_t state = seed;
	uint64_t choice = mq_test_rand(&state) % 16;

	if (size_max < 1 + FRAME_HEAD)
		return LLVMFuzzerMutate(data, size, size_max);
	if (size < 1 + FRAME_HEAD || choice == 0) {
		data[0] = (uint8_t)mq_test_rand(&state);
		size = 1;
	}
	if (size == 1 || choice < 6)
		return size + put_fresh(data + size, size_max - size, &state);
	if (choice == 6)
		return LLVMFuzzerMutate(data, size, size_max);
	return mutate_frame(data, size, size_max, &state);
}
