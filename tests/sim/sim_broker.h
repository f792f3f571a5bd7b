/*
 * A broker's process in the simulated world: the real core on a simulated disk,
 * connections, and what becomes of it when it is killed, loses its power, or
 * is stopped. It comes back on what its disk has left.
 */
#ifndef MQ_TESTS_SIM_BROKER_H
#define MQ_TESTS_SIM_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/core.h"
#include "sim/sim_env.h"
#include "sim/sim_world.h"

struct sim_broker;

enum sim_end {
	SIM_KILL,  /* what was written stays, synced or not */
	SIM_POWER, /* what was not synced may be lost, any part of it */
	SIM_STOP,  /* as it should be */
	SIM_N_ENDS,
};

struct sim_broker_args {
	const char *host;
	uint16_t port;
	const char *const *conf; /* key, value, ..., NULL; borrowed */
	struct sim_pace pace;
	int64_t down_us; /* at most, until it is started again */
	/* Both may be NULL. up: recovered, nobody has connected yet; on a fiber that
	 * may wait. down: the moment it ends. */
	void (*up)(void *arg, struct mq_core *core, struct sim_env *disk);
	void (*down)(void *arg, enum sim_end end);
	void *arg;
};

/* Starts it; it is up some time later. */
struct sim_broker *sim_broker_new(const struct sim_broker_args *args);
/* Stops it for good and frees it. */
void sim_broker_free(struct sim_broker *broker);

/* Ends it now, whatever it is doing; nothing happens if it is down. */
void sim_broker_end(struct sim_broker *broker, enum sim_end end);
/* Kills it, or takes its power, at the nth change of its disk from now on, in the
 * middle of whatever makes it. */
void sim_broker_end_at_change(struct sim_broker *broker, enum sim_end end, unsigned nth);

/* What a failed sync should have covered the kernel may still show and never
 * write: only a machine that starts anew tells the truth. So the next end
 * of the process will be one of the machine. Returns whether that is so. */
bool sim_broker_distrust(struct sim_broker *broker, bool on);

/* Takes all faults off the disk and starts anew if that is what it takes. */
void sim_broker_heal(struct sim_broker *broker);

/* Waits until it serves, for at most so long. */
bool sim_broker_wait_up(struct sim_broker *broker, int64_t us);
bool sim_broker_is_up(const struct sim_broker *broker);

/* The disk of the running process, to put faults on; NULL: it is down. */
struct sim_env *sim_broker_disk(struct sim_broker *broker);
struct mq_core *sim_broker_core(struct sim_broker *broker);

/* --- reading a log directly (sim_read.c) ---------------------------------------------- */

struct mq_batch;
struct mq_record_view;

/* One record, or with record NULL a range that cannot be read. */
typedef void sim_read_cb(void *arg, const struct mq_batch *batch,
			 const struct mq_record_view *record, int64_t offset);

/* All of a partition up to its high watermark, which it returns; -1: there is no
 * such partition; -2: it is offline, or the broker has ended meanwhile. */
int64_t sim_read_log(struct mq_core *core, struct sim_env *disk, const char *topic,
		     int32_t partition, sim_read_cb *cb, void *arg);

#endif
