/*
 * What a log must and may hold after a crash: the model the crash test keeps
 * beside the real log, and the check of a recovered disk against it.
 */
#ifndef TESTS_LOG_CRASH_MODEL_H
#define TESTS_LOG_CRASH_MODEL_H

#include "log/log.h"
#include "sim/sim_env.h"

#define N_LOGS      2
#define N_PRODUCERS 3

/* Batches of a producer a broker has to know again. */
#define KNOWN_BATCHES 5

struct model_batch {
	int64_t base, last;
	uint8_t *data; /* as it lies in the file */
	uint32_t size;
	int producer; /* index, or -1 */
	int64_t key;  /* of the one record in a batch of the compacted log */
	bool done;    /* handed back as written */
};

struct model_log {
	const char *topic;
	bool compacted;
	struct model_batch *batches;
	size_t n;
	int64_t flushed; /* what the log has said to be on stable storage */
	int64_t start;   /* the highest start offset there was */
};

struct model {
	uint64_t seed;
	struct model_log logs[N_LOGS];
	bool upkeep; /* retention may be moving the start right now */
	bool killed; /* the image is of a killed process: nothing written is lost */
	char context[128];
};

void model_init(struct model *model, uint64_t seed);
void model_deinit(struct model *model);
struct model_batch *model_add(struct model_log *log);
void model_remove_last(struct model_log *log);

/* Ends the test with a line that says how to repeat it. */
void model_fail(const struct model *model, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* What a recovered log holds. */
struct contents {
	int64_t start, end;
	uint64_t digest;
	int64_t *bases; /* of its batches, ascending */
	size_t n;
};

/* Reads a whole log and checks each batch: it was appended, it has its bytes. */
void model_read(const struct model *model, const struct model_log *expect, struct mq_env *env,
		struct mq_log *log, struct contents *out);

/* Recovers a disk and checks all of it; the disk is changed. */
void model_check(const struct model *model, struct sim_env *image);

#endif
