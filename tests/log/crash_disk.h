/* The store of the crash test on a simulated disk. */
#ifndef TESTS_LOG_CRASH_DISK_H
#define TESTS_LOG_CRASH_DISK_H

#include "crash_model.h"
#include "log/store.h"

struct disk {
	struct sim_env *sim;
	struct mq_store *store;
	struct mq_log *logs[N_LOGS]; /* NULL while there is none */
};

void disk_open(struct disk *disk, const struct model *model, struct sim_env *sim);
void disk_close(struct disk *disk, bool clean);

/* Makes the logs, durably. */
void disk_create(struct disk *disk, const struct model *model);

/* Has the store do what is due: checkpoints, retention, compaction, removal. */
void disk_upkeep(struct disk *disk);

#endif
