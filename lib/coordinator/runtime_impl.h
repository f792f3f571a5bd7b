/* What the files of the runtime share. */
#ifndef MQ_COORDINATOR_RUNTIME_IMPL_H
#define MQ_COORDINATOR_RUNTIME_IMPL_H

#include "coordinator/runtime.h"

enum mq_coord_status {
	MQ_COORD_UNLOADED, /* a load could not begin, or has failed */
	MQ_COORD_LOADING,  /* in line for the loader, or in its hands */
	MQ_COORD_ACTIVE,
};

struct mq_coord {
	struct mq_runtime *rt;
	struct mq_partition *partition;
	enum mq_coord_status status;
	void *state;           /* while loading the loader's, then the lock's */
	struct mq_list writes; /* on their way, oldest first */
	struct mq_list line;   /* on rt->line */
	bool abandoned;        /* closed while in the loader's hands: it frees it */
};

struct mq_runtime {
	struct mq_runtime_args args;
	struct mq_coord **coords;
	int32_t n;
	bool stopped;
	struct mq_list line; /* coordinators to be loaded, by one job */
	bool loader;         /* the job is there */
	struct mq_coord *in_hand;
	struct mq_task loader_task;
};

/* runtime.c. What a client is told when the log has answered err. */
mq_err mq_coord_client_err(mq_err err);
/* The state cannot be trusted any more: it is read again from the log. */
void mq_coord_reload(struct mq_coord *coord, struct mq_list *tasks);
/* It has been read to the end of its log. */
void mq_coord_activate(struct mq_coord *coord, struct mq_list *tasks);

/* load.c. Puts the coordinator in line, if it is in none, and sees to it that there
 * is a loader. */
void mq_coord_load(struct mq_coord *coord, struct mq_list *tasks);

/* write.c. Ends all that are on their way, with why; those whose coordinator goes
 * away as well leave it. */
void mq_coord_end_writes(struct mq_coord *coord, mq_err why, bool leave, struct mq_list *tasks);

/* replay.c. Replays a whole batch, as much as is valid. MQ_E_NOMEM, and
 * MQ_E_CORRUPT_MESSAGE for a batch that cannot be read. */
struct mq_codec_scratch;
mq_err mq_coord_replay(struct mq_coord *coord, const struct mq_batch *batch,
		       struct mq_codec_scratch *scratch);

#endif
