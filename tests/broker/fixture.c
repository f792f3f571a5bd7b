/* See fixture.h. */
#include "broker/fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/api.h"
#include "protocol/wire.h"
#include "temp.h"

/* --- the core ---------------------------------------------------------------------- */

static void rearm(void *arg, int64_t due_us)
{
	struct fixture *f = arg;

	atomic_store(&f->rearmed_us, due_us);
}

static void set_all(mq_conf *conf, va_list pairs)
{
	const char *key;
	mq_error error;

	while ((key = va_arg(pairs, const char *)))
		ck_assert_msg(mq_conf_set(conf, key, va_arg(pairs, const char *), &error) == MQ_OK,
			      "%s", error.text);
}

static void open_core(struct fixture *f)
{
	struct mq_core_args args = {.env = f->env, .conf = f->conf, .rearm = rearm, .rearm_arg = f};
	struct mq_endpoint endpoint = {"inproc", "localhost", 9092};
	mq_error error = {0};

	ck_assert_msg(mq_core_open(&f->core, &args, &error) == MQ_OK, "%s", error.text);
	ck_assert_int_eq(mq_core_set_endpoints(f->core, &endpoint, 1), MQ_OK);
}

static void open_fixture(struct fixture *f, va_list pairs)
{
	mq_error error;

	mq_mutex_init(&f->lock);
	mq_cond_init(&f->call_done);
	f->conf = mq_conf_new(MQ_ROLE_BROKER);
	ck_assert_ptr_nonnull(f->conf);
	ck_assert_int_eq(mq_conf_set(f->conf, "log.dirs", f->dir, &error), MQ_OK);
	set_all(f->conf, pairs);
	mq_arena_init(&f->arena, 0);
	open_core(f);
}

void fx_open_sim(struct fixture *f, ...)
{
	va_list pairs;

	memset(f, 0, sizeof(*f));
	f->sim = sim_env_new(7);
	f->env = sim_env_get(f->sim);
	sim_env_set_wall(f->sim, 1700000000000);
	strcpy(f->dir, "data");
	va_start(pairs, f);
	open_fixture(f, pairs);
	va_end(pairs);
}

void fx_open_image(struct fixture *f, struct sim_env *image, ...)
{
	va_list pairs;

	memset(f, 0, sizeof(*f));
	f->sim = image;
	f->env = sim_env_get(image);
	strcpy(f->dir, "data");
	va_start(pairs, image);
	open_fixture(f, pairs);
	va_end(pairs);
}

void fx_open_real(struct fixture *f, ...)
{
	va_list pairs;

	memset(f, 0, sizeof(*f));
	temp_dir_make(f->dir, sizeof(f->dir));
	f->env = mq_env_system_new(2);
	va_start(pairs, f);
	open_fixture(f, pairs);
	va_end(pairs);
}

static void close_core(struct fixture *f)
{
	mq_core_stop(f->core);
	if (f->sim) {
		sim_env_run_jobs(f->sim);
		sim_env_inline_jobs(f->sim, true);
	}
	mq_core_close(f->core);
	if (f->sim)
		sim_env_inline_jobs(f->sim, false);
}

void fx_close(struct fixture *f)
{
	close_core(f);
	mq_conf_free(f->conf);
	mq_arena_reset(&f->arena);
	mq_cond_deinit(&f->call_done);
	mq_mutex_deinit(&f->lock);
	if (f->sim) {
		sim_env_free(f->sim);
	} else {
		mq_env_system_free(f->env);
		temp_dir_remove(f->dir);
	}
}

void fx_reopen(struct fixture *f)
{
	close_core(f);
	open_core(f);
}

void fx_open_again(struct fixture *copy)
{
	mq_arena_init(&copy->arena, 0);
	open_core(copy);
}

void fx_close_again(struct fixture *copy)
{
	close_core(copy);
	mq_arena_reset(&copy->arena);
	sim_env_free(copy->sim);
}

void fx_advance(struct fixture *f, int64_t ms)
{
	sim_env_advance(f->sim, ms * 1000);
	mq_core_tick(f->core, mq_env_now_us(f->env));
}

/* --- calls --------------------------------------------------------------------------- */

static void call_done(struct mq_call *call, mq_err err)
{
	struct fx_call *c = mq_container_of(call, struct fx_call, call);
	struct fixture *f = call->done_arg;

	mq_mutex_lock(&f->lock);
	c->err = err;
	atomic_fetch_add(&c->done, 1);
	mq_cond_broadcast(&f->call_done);
	mq_mutex_unlock(&f->lock);
}

static const struct mq_peer peer = {"inproc", "User:ANONYMOUS", "127.0.0.1", 1, false};
static const struct mq_peer own = {"inproc", "User:ANONYMOUS", "127.0.0.1", 1, true};

void fx_start(struct fixture *f, struct fx_call *call, int16_t key, int16_t version, void *request)
{
	struct mq_service *service = mq_core_service(f->core);

	memset(call, 0, sizeof(*call));
	call->call.api_key = key;
	call->call.api_version = version;
	call->call.client_id = mq_str(f->client_id ? f->client_id : "test");
	call->call.request = request;
	call->call.peer = f->in_process ? &own : &peer;
	call->call.done = call_done;
	call->call.done_arg = f;
	mq_arena_init(&call->call.arena, 0);
	service->handle(service, &call->call);
}

/* What is answered can be sent in the version it was asked in. */
static void assert_encodes(const struct mq_call *call)
{
	const struct mq_api *api = mq_api_find(call->api_key);
	struct mq_wire_out out;

	mq_wire_out_init(&out, 0);
	ck_assert_msg(mq_message_encode(api->response, call->api_version, call->response, &out,
					NULL) == MQ_OK,
		      "the response to %s version %d has a field that the version lacks", api->name,
		      call->api_version);
	mq_wire_out_deinit(&out);
}

void *fx_wait(struct fixture *f, struct fx_call *call)
{
	int64_t deadline_us = mq_env_now_us(f->env) + INT64_C(10000000);

	if (f->sim) {
		sim_env_run_jobs(f->sim);
	} else {
		mq_mutex_lock(&f->lock);
		while (!call->done && mq_cond_wait(&f->call_done, &f->lock, deadline_us))
			;
		mq_mutex_unlock(&f->lock);
	}
	ck_assert_int_eq(call->done, 1);
	if (call->call.response)
		assert_encodes(&call->call);
	return call->call.response;
}

void *fx_call(struct fixture *f, struct fx_call *call, int16_t key, int16_t version, void *request)
{
	fx_start(f, call, key, version, request);
	return fx_wait(f, call);
}

void fx_release(struct fx_call *call)
{
	ck_assert_int_eq(call->done, 1);
	mq_call_release(&call->call);
}

void fx_topic(struct fixture *f, const char *name, int32_t partitions, ...)
{
	struct mq_create_topics_request *request = fx_request(f, mq_create_topics_request);
	struct mq_create_topics_request_config *configs =
	    mq_new(&f->arena, mq_create_topics_request_config, 16);
	struct mq_create_topics_request_topic *topic =
	    fx_request(f, mq_create_topics_request_topic);
	struct mq_create_topics_response *response;
	struct fx_call call;
	const char *key;
	va_list pairs;

	request->topics = topic;
	request->n_topics = 1;
	topic->name = mq_str(name);
	topic->num_partitions = partitions;
	topic->replication_factor = 1;
	topic->configs = configs;
	va_start(pairs, partitions);
	while ((key = va_arg(pairs, const char *))) {
		configs[topic->n_configs].name = mq_str(key);
		configs[topic->n_configs++].value = mq_str(va_arg(pairs, const char *));
	}
	va_end(pairs);
	response = fx_call(f, &call, MQ_API_CREATE_TOPICS, 7, request);
	ck_assert_int_eq(call.err, MQ_OK);
	ck_assert_int_eq(response->topics[0].error_code, 0);
	fx_release(&call);
}

struct mq_uuid fx_topic_id(struct fixture *f, const char *name)
{
	struct mq_topic *topic;
	struct mq_list tasks;
	struct mq_uuid id;

	mq_core_enter(f->core, &tasks);
	topic = mq_topic_find(f->core, mq_str(name));
	mq_core_leave(f->core, &tasks);
	ck_assert_ptr_nonnull(topic);
	id = topic->id;
	mq_topic_unref(f->core, topic);
	return id;
}

/* --- batches ---------------------------------------------------------------------------- */

static mq_bytes close_batch(struct fixture *f, struct mq_builder *builder)
{
	struct mq_codec_scratch scratch;
	mq_bytes bytes;

	mq_codec_scratch_init(&scratch);
	ck_assert_int_eq(mq_builder_close(builder, &scratch, &bytes, NULL), MQ_OK);
	bytes = mq_arena_dup(&f->arena, bytes);
	mq_codec_scratch_deinit(&scratch);
	mq_builder_deinit(builder);
	return bytes;
}

mq_bytes fx_batch(struct fixture *f, int n, int64_t ts, const struct mq_batch_spec *spec)
{
	struct mq_batch_spec plain;
	struct mq_builder builder;
	char key[32], value[32];

	mq_batch_spec_init(&plain);
	mq_builder_init(&builder, NULL, 1 << 20, spec ? spec : &plain);
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		snprintf(value, sizeof(value), "v%d", i);
		ck_assert(mq_builder_append(&builder, ts + i, mq_str(key), mq_str(value), NULL, 0));
	}
	return close_batch(f, &builder);
}

mq_bytes fx_batch_one(struct fixture *f, const char *key, const char *value, int64_t ts)
{
	struct mq_batch_spec plain;
	struct mq_builder builder;

	mq_batch_spec_init(&plain);
	mq_builder_init(&builder, NULL, 4 << 20, &plain);
	ck_assert(mq_builder_append(&builder, ts, mq_str(key), mq_str(value), NULL, 0));
	return close_batch(f, &builder);
}

mq_bytes fx_batch_of(struct fixture *f, int n, int64_t pid, int16_t epoch, int32_t sequence)
{
	struct mq_batch_spec spec;

	mq_batch_spec_init(&spec);
	spec.producer_id = pid;
	spec.producer_epoch = epoch;
	spec.base_sequence = sequence;
	return fx_batch(f, n, mq_env_wall_ms(f->env), &spec);
}

/* --- produce ------------------------------------------------------------------------------ */

struct mq_produce_request *fx_produce_request(struct fixture *f, int16_t acks, const char *topic,
					      int32_t partition, mq_bytes records)
{
	struct mq_produce_request *request = fx_request(f, mq_produce_request);
	struct mq_produce_request_topic *t = fx_request(f, mq_produce_request_topic);
	struct mq_produce_request_partition *p = fx_request(f, mq_produce_request_partition);
	struct mq_piece *piece = mq_arena_array(&f->arena, 1, sizeof(*piece));

	request->acks = acks;
	request->timeout_ms = 1000;
	request->topic_data = t;
	request->n_topic_data = 1;
	t->name = mq_str(topic);
	t->partition_data = p;
	t->n_partition_data = 1;
	p->index = partition;
	piece->data = records.data;
	piece->size = records.size;
	p->records.pieces = piece;
	p->records.n_pieces = 1;
	return request;
}

struct mq_produce_response_partition fx_produce(struct fixture *f, const char *topic,
						int32_t partition, mq_bytes records)
{
	struct mq_produce_response_partition out;
	struct mq_produce_response *response;
	struct fx_call call;

	response = fx_call(f, &call, MQ_API_PRODUCE, 9,
			   fx_produce_request(f, -1, topic, partition, records));
	ck_assert_int_eq(call.err, MQ_OK);
	out = response->responses[0].partition_responses[0];
	fx_release(&call);
	return out;
}

int fx_produce_error(struct fixture *f, const char *topic, mq_bytes records)
{
	return fx_produce(f, topic, 0, records).error_code;
}

int64_t fx_put(struct fixture *f, const char *topic, int n)
{
	struct mq_produce_response_partition out =
	    fx_produce(f, topic, 0, fx_batch(f, n, mq_env_wall_ms(f->env), NULL));

	ck_assert_int_eq(out.error_code, 0);
	return out.base_offset;
}

/* --- fetch ---------------------------------------------------------------------------------- */

struct mq_fetch_request *fx_fetch_request(struct fixture *f, int16_t version, const char *topic,
					  int32_t partition, int64_t offset)
{
	struct mq_fetch_request *request = fx_request(f, mq_fetch_request);
	struct mq_fetch_request_topic *t = fx_request(f, mq_fetch_request_topic);
	struct mq_fetch_request_partition *p = fx_request(f, mq_fetch_request_partition);

	request->replica_id = -1;
	request->min_bytes = 1;
	request->max_bytes = 50 << 20;
	request->topics = t;
	request->n_topics = 1;
	if (version >= 13)
		t->topic_id = fx_topic_id(f, topic);
	else
		t->topic = mq_str(topic);
	t->partitions = p;
	t->n_partitions = 1;
	p->partition = partition;
	p->fetch_offset = offset;
	p->partition_max_bytes = 1 << 20;
	return request;
}

struct mq_fetch_response_partition *fx_fetched(struct fx_call *call)
{
	struct mq_fetch_response *response = call->call.response;

	ck_assert_int_eq(call->done, 1);
	ck_assert_int_eq(call->err, MQ_OK);
	ck_assert_ptr_nonnull(response);
	ck_assert_int_eq(response->error_code, 0);
	ck_assert_int_eq(response->n_responses, 1);
	ck_assert_int_eq(response->responses[0].n_partitions, 1);
	return &response->responses[0].partitions[0];
}

mq_bytes fx_records(struct fixture *f, const struct mq_wire_records *records)
{
	struct mq_buf buf;
	mq_bytes out;

	ck_assert_int_ge(records->n_pieces, 0);
	mq_buf_init(&buf, 0);
	for (int32_t i = 0; i < records->n_pieces; i++) {
		const struct mq_piece *piece = &records->pieces[i];
		void *to = mq_buf_put(&buf, piece->size);

		if (piece->data)
			memcpy(to, piece->data, piece->size);
		else
			ck_assert_int_eq(
			    mq_env_pread(f->env, piece->file, to, piece->size, piece->position),
			    piece->size);
	}
	out = mq_arena_dup(&f->arena, mq_mem(buf.data ? (void *)buf.data : "", buf.size));
	mq_buf_deinit(&buf);
	return out;
}

int fx_count_records(mq_bytes bytes, int64_t offset)
{
	struct mq_codec_scratch scratch;
	struct mq_batch_iter batches;
	struct mq_batch batch;
	int n = 0;

	mq_codec_scratch_init(&scratch);
	mq_batch_iter_init(&batches, bytes.data, bytes.size);
	while (mq_batch_iter_next(&batches, &batch, NULL) == MQ_OK) {
		struct mq_record_view record;
		struct mq_record_iter it;

		ck_assert_int_eq(mq_batch_check_crc(&batch, NULL), MQ_OK);
		ck_assert_int_eq(mq_record_iter_init(&it, &batch, &scratch, 1 << 24, NULL), MQ_OK);
		while (mq_record_iter_next(&it, &record) == MQ_OK)
			n += record.offset >= offset;
	}
	mq_codec_scratch_deinit(&scratch);
	return n;
}

int fx_count(struct fixture *f, const char *topic, int64_t offset)
{
	struct fx_call call;
	int n;

	fx_call(f, &call, MQ_API_FETCH, 12, fx_fetch_request(f, 12, topic, 0, offset));
	ck_assert_int_eq(fx_fetched(&call)->error_code, 0);
	n = fx_count_records(fx_records(f, &fx_fetched(&call)->records), offset);
	fx_release(&call);
	return n;
}
