/*
 * A broker core on the simulated environment (or a real directory), and calls
 * made of decoded structs: what a link or the server would bring.
 */
#ifndef MQ_TESTS_BROKER_FIXTURE_H
#define MQ_TESTS_BROKER_FIXTURE_H

#include <check.h>

#include "base/arena.h"
#include "base/conf.h"
#include "broker/core.h"
#include "broker/internal.h"
#include "env/thread.h"
#include "protocol/api.h"
#include "protocol/messages.h"
#include "protocol/wire.h"
#include "record/batch.h"
#include "record/builder.h"
#include "record/records.h"
#include "sim/sim_env.h"

struct fixture {
	struct sim_env *sim; /* NULL: the real world, in dir */
	struct mq_env *env;
	mq_conf *conf;
	struct mq_core *core;
	char dir[256];
	_Atomic int64_t rearmed_us; /* the last one asked for */
	struct mq_arena arena;      /* of requests and batches */
	struct mq_mutex lock;       /* for waiting until a call is done */
	struct mq_cond call_done;
	const char *client_id; /* NULL: "test" */
	bool in_process;       /* the calls are the library's own */
};

/* key, value pairs ending with NULL are set in the broker's configuration. */
void fx_open_sim(struct fixture *f, ...);
void fx_open_real(struct fixture *f, ...);
/* On what a crash has left; takes the image over. */
void fx_open_image(struct fixture *f, struct sim_env *image, ...);
void fx_close(struct fixture *f);
/* Closes the core and opens it again on the same disk. */
void fx_reopen(struct fixture *f);
/* A copy of a fixture whose sim and env were replaced: opens a core there; and closes
 * it with the environment. */
void fx_open_again(struct fixture *copy);
void fx_close_again(struct fixture *copy);

/* --- calls ------------------------------------------------------------------- */

struct fx_call {
	struct mq_call call;
	_Atomic int done; /* how often done() has run */
	mq_err err;
};

/* Hands the request over; it may be done when this returns. */
void fx_start(struct fixture *f, struct fx_call *call, int16_t key, int16_t version, void *request);
/* Runs jobs until the call is done, which has to happen; the response. */
void *fx_wait(struct fixture *f, struct fx_call *call);
/* Both. */
void *fx_call(struct fixture *f, struct fx_call *call, int16_t key, int16_t version, void *request);
void fx_release(struct fx_call *call);
/* Virtual time moves on, and the core is told when something is due. */
void fx_advance(struct fixture *f, int64_t ms);

#define fx_request(f, tag) mq_new(&(f)->arena, tag, 1)

/* Creates a topic; pairs of topic configuration follow, ending with NULL. */
void fx_topic(struct fixture *f, const char *name, int32_t partitions, ...);
struct mq_uuid fx_topic_id(struct fixture *f, const char *name);

/* --- batches ------------------------------------------------------------------- */

/* A batch of n records "k<i>" = "v<i>" with timestamps from ts on; spec NULL is a
 * plain one. */
mq_bytes fx_batch(struct fixture *f, int n, int64_t ts, const struct mq_batch_spec *spec);
/* Of one record; key and value may be NULL. */
mq_bytes fx_batch_one(struct fixture *f, const char *key, const char *value, int64_t ts);
/* Of an idempotent producer. */
mq_bytes fx_batch_of(struct fixture *f, int n, int64_t pid, int16_t epoch, int32_t sequence);

/* --- produce ------------------------------------------------------------------- */

struct mq_produce_request *fx_produce_request(struct fixture *f, int16_t acks, const char *topic,
					      int32_t partition, mq_bytes records);
/* Produces with acks=all and version 9; the partition's answer is copied out. */
struct mq_produce_response_partition fx_produce(struct fixture *f, const char *topic,
						int32_t partition, mq_bytes records);
/* The same, of which the error is all that matters. */
int fx_produce_error(struct fixture *f, const char *topic, mq_bytes records);
/* Must succeed; the base offset. */
int64_t fx_put(struct fixture *f, const char *topic, int n);

/* --- fetch ---------------------------------------------------------------------- */

/* One partition, v12 or earlier by name, else by id; no waiting, no session. */
struct mq_fetch_request *fx_fetch_request(struct fixture *f, int16_t version, const char *topic,
					  int32_t partition, int64_t offset);
/* The one partition of the answer. */
struct mq_fetch_response_partition *fx_fetched(struct fx_call *call);
/* The bytes of the answer's records, in the fixture's arena. */
mq_bytes fx_records(struct fixture *f, const struct mq_wire_records *records);
/* Fetches at once and counts records from offset on. */
int fx_count(struct fixture *f, const char *topic, int64_t offset);
/* Walks whole v2 batches and counts records at or above offset. */
int fx_count_records(mq_bytes bytes, int64_t offset);

#endif
