/*
 * A simulated environment: a clock that stands still until the test moves it,
 * random numbers from a seed, a disk in memory that fails when told to, and
 * jobs that run when the test says so. Everything repeats from the seed.
 *
 * The disk knows what was synced: for each file which writes, for each
 * directory which entries. From that it makes images of what could be there
 * after the power went (sim_env_crash_image) or after the process was killed
 * (sim_env_kill_image), each a new simulated environment.
 *
 * Paths start at one root, with or without a leading slash; there are no
 * links. Calls may come from several threads; a hook runs on the calling one.
 */
#ifndef MQ_TESTS_SIM_ENV_H
#define MQ_TESTS_SIM_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "env/env.h"

struct sim_env;

struct sim_env *sim_env_new(uint64_t seed);
void sim_env_free(struct sim_env *sim); /* open files must be closed by then */
struct mq_env *sim_env_get(struct sim_env *sim);

/* --- clock and random numbers --------------------------------------------- */

/* Both clocks move on. */
void sim_env_advance(struct sim_env *sim, int64_t us);
/* The wall clock alone jumps. */
void sim_env_set_wall(struct sim_env *sim, int64_t ms);
/* The next random number of the seed; the environment's own come from it too. */
uint64_t sim_env_random(struct sim_env *sim);

/* --- jobs ------------------------------------------------------------------- */

/* With inline jobs submit runs them at once, on the caller. Off at first. */
void sim_env_inline_jobs(struct sim_env *sim, bool on);
/* Runs one of the jobs whose turn it may be, chosen at random. False: none. */
bool sim_env_run_job(struct sim_env *sim);
/* Runs jobs until none is left; returns how many ran. */
unsigned sim_env_run_jobs(struct sim_env *sim);

/* --- faults ----------------------------------------------------------------- */

enum sim_op {
	SIM_OPEN,   /* of what exists */
	SIM_CREATE, /* of a file, by open */
	SIM_READ,
	SIM_WRITE,
	SIM_TRUNCATE,
	SIM_SYNC,
	SIM_SYNC_DIR,
	SIM_RENAME,
	SIM_UNLINK,
	SIM_MKDIR,
	SIM_RMDIR,
	SIM_LIST,
	SIM_STAT,
	SIM_SUBMIT,
	SIM_N_OPS,
};

/* The nth operation of this kind from now (1: the next) fails with -errnum,
 * and with for_good all after it. A write that fails has written a random part;
 * what a failed sync should have covered is never durable for certain, whatever
 * later syncs say. errnum 0 takes the fault back. */
void sim_env_fail(struct sim_env *sim, enum sim_op op, unsigned nth, int errnum, bool for_good);
/* How many operations of this kind there were, failed ones included. */
uint64_t sim_env_count(const struct sim_env *sim, enum sim_op op);

/* Bytes all files together may have; a write past it is cut short and fails
 * with -ENOSPC. Negative: no limit (at first). */
void sim_env_set_capacity(struct sim_env *sim, int64_t bytes);
void sim_env_set_read_only(struct sim_env *sim, bool on);

/* Changes bits of a byte behind everybody's back: what is durable and what is
 * cached. False when the file is not that long. */
bool sim_env_flip(struct sim_env *sim, const char *path, int64_t at, uint8_t mask);

/* --- crashes ---------------------------------------------------------------- */

/* Called after each operation that changed something: writes, truncations,
 * syncs, creations, renames, removals. */
typedef void sim_env_hook(void *arg, struct sim_env *sim, enum sim_op op);
void sim_env_set_hook(struct sim_env *sim, sim_env_hook *hook, void *arg);

/*
 * What may be found after a power failure at this moment, chosen by the seed.
 * What was synced is there. Of unsynced writes any sectors may be, and of the
 * last write any part; sizes and names changed since then are old or new, in
 * the order in which they were changed per file and directory.
 */
struct sim_env *sim_env_crash_image(const struct sim_env *sim, uint64_t seed);

/* How much of the last write a killed process got done. */
enum sim_torn { SIM_TORN_NONE, SIM_TORN_ONE, SIM_TORN_HALF, SIM_TORN_ALL_BUT_ONE, SIM_TORN_ALL };
#define SIM_N_TORN 5

/* What is found after the process was killed: everything it wrote, but the last
 * write perhaps in part only. */
struct sim_env *sim_env_kill_image(const struct sim_env *sim, enum sim_torn torn);

/* The same on a machine that goes on: what was not synced is still not durable. */
struct sim_env *sim_env_killed(struct sim_env *sim, enum sim_torn torn);

/* An exact copy without open files and locks. */
struct sim_env *sim_env_copy(const struct sim_env *sim);

/* A number for the contents of the whole disk: names, sizes and bytes. */
uint64_t sim_env_digest(const struct sim_env *sim);

#endif
