/*
 * The world of a simulation: one clock, one source of choices, and fibers that
 * take turns. There is one world at a time.
 *
 * A fiber runs until it waits. Then what is due happens, and the seed chooses
 * the next of those that can go on; when none can, the clock jumps to the
 * next event. So the order of everything follows from the seed.
 */
#ifndef MQ_TESTS_SIM_WORLD_H
#define MQ_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "env/env.h"

#define SIM_MS  INT64_C(1000)
#define SIM_SEC INT64_C(1000000)

/* --- running ------------------------------------------------------------------ */

/* Runs main_fn(arg) as the first fiber of a new world, until it has returned. A
 * world that has not ended by then, or where all wait for each other, fails.
 * Returns a number for everything that was traced. */
uint64_t sim_run(uint64_t seed, void (*main_fn)(void *arg), void *arg);

/* Prints each line of the trace as it happens. */
void sim_set_verbose(bool on);

/* How to repeat this run, for the message of a failure. */
void sim_set_replay(const char *how);

int64_t sim_now(void);

/* Something happened that the seed decides. */
void sim_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A bug is found: prints it, the end of the trace, and how to repeat it. */
void sim_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#define sim_check(cond, ...)                                                                       \
	do {                                                                                       \
		if (!(cond))                                                                       \
			sim_fail(__VA_ARGS__);                                                     \
	} while (0)

/* --- choices -------------------------------------------------------------------- */

uint64_t sim_random(void);
/* From 0 to n - 1. */
uint64_t sim_below(uint64_t n);
/* From low to high, both included. */
int64_t sim_between(int64_t low, int64_t high);
/* True in so many of a thousand cases. */
bool sim_chance(unsigned per_mille);
/* A time up to max whose order of magnitude is left to chance. */
int64_t sim_time(int64_t max_us);

/* --- events -------------------------------------------------------------------- */

/* Runs fn(arg) when its time has come; fn must not wait. */
struct sim_event {
	int64_t due_us;
	uint64_t order;
	void (*fn)(void *arg);
	void *arg;
	size_t at; /* its place among all, from 1 on; 0: not armed */
};

void sim_event_init(struct sim_event *event, void (*fn)(void *arg), void *arg);
/* Replaces the time it was armed for. */
void sim_event_arm(struct sim_event *event, int64_t due_us);
void sim_event_disarm(struct sim_event *event);

/* --- fibers ----------------------------------------------------------------------- */

struct sim_fiber;

/* Starts a fiber in the process of the one that calls. */
struct sim_fiber *sim_fiber_start(const char *name, void (*fn)(void *arg), void *arg);
/* Each fiber that was started is joined or let go once. */
void sim_fiber_join(struct sim_fiber *fiber);
void sim_fiber_detach(struct sim_fiber *fiber);
struct sim_fiber *sim_fiber_self(void);

/* Lets others go on. */
void sim_yield(void);
void sim_sleep(int64_t us);

/* Waits for somebody to wake who waits on this address; false: the time came
 * first. */
bool sim_wait(const void *on, int64_t until_us);
/* Wakes one (by chance) or all of those who wait on an address. */
void sim_wake_one(const void *on);
void sim_wake_all(const void *on);

/* The process a fiber belongs to: an address that tells processes apart. Fibers
 * inherit it. */
void sim_set_process(const void *process);
const void *sim_process(void);

/* So often a lock or unlock lets others go first, in a thousand cases. */
void sim_set_preemption(unsigned per_mille);

/* --- environments of processes (sim_host.c) ------------------------------------------ */

struct sim_env;

/* What a disk and its workers take, each at most. */
struct sim_pace {
	int64_t read_us, write_us, sync_us, job_us;
};

/* Joins an environment to the world: its clock follows, its disk and its jobs
 * take time. */
void sim_host_join(struct sim_env *env, const struct sim_pace *pace);
/* Before it is freed; nothing of it is running. */
void sim_host_leave(struct sim_env *env);
/* Whether jobs of it wait or run. */
bool sim_host_busy(struct sim_env *env);
/* Runs all jobs that are left to their end. */
void sim_host_drain(struct sim_env *env);

#endif
