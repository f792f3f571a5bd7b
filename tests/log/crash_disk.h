/* The logs of the crash test on a simulated disk, opened and kept up as the
 * broker does. */
#ifndef TESTS_LOG_CRASH_DISK_H
#define TESTS_LOG_CRASH_DISK_H

#include "crash_model.h"

struct disk {
	struct sim_env *sim;
	struct mq_log *logs[N_LOGS]; /* NULL while there is none */
};

void disk_open(struct disk *disk, const struct model *model, struct sim_env *sim);
void disk_close(struct disk *disk, const struct model *model, bool clean);

/* Makes the directories of the logs, and opens them. */
void disk_create(struct disk *disk, const struct model *model);

/* Does one piece of upkeep: checkpoints, rolls, deletes old segments, removes
 * the files of deleted ones. */
void disk_upkeep(struct disk *disk, const struct model *model, uint64_t which);

#endif
