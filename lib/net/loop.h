/*
 * A loop: one thread that waits for sockets, timers and posts of other
 * threads, and runs their callbacks one after the other.
 *
 * A loop sleeps until something is due; an idle one never wakes up. It is
 * driven by one thread at a time: its own (mq_loop_start) or whoever calls
 * mq_loop_step. Everything but mq_loop_post, mq_loop_stop, mq_loop_is_self and
 * what is said of lending belongs to that thread, or to any while nobody drives
 * the loop.
 */
#ifndef MQ_NET_LOOP_H
#define MQ_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>

#include "base/list.h"
#include "env/env.h"

struct event;
struct mq_loop;
struct mq_block_pool;

/* NULL when out of memory or descriptors. env is borrowed. */
struct mq_loop *mq_loop_new(struct mq_env *env);

/* The loop is not driven any more; what was posted and has not run is
 * forgotten. NULL is allowed. */
void mq_loop_free(struct mq_loop *loop);

/* Gives the loop a thread of its own, which drives it until mq_loop_stop(). */
mq_err mq_loop_start(struct mq_loop *loop, const char *name, mq_error *error);

/* Any thread: makes the loop's thread end, after the posts made before. */
void mq_loop_stop(struct mq_loop *loop);

/* Waits for the end of the loop's thread, which has been told to stop. */
void mq_loop_join(struct mq_loop *loop);

/* Drives the loop on the calling thread: runs what is due, waits for the first
 * event or post until deadline_us (a past one: does not wait), and returns.
 * False once the loop was told to stop. */
bool mq_loop_step(struct mq_loop *loop, int64_t deadline_us);

/* --- lending ------------------------------------------------------------- */

/*
 * Who waits for what a loop receives may drive it, instead of being woken by the
 * loop's thread, and then has it in the caches of its own processor:
 *
 *	OWN --lend--> LENDING --the thread ends its step--> LENT --return--> OWN
 *	                 +-- return --> OWN                   +-- nobody steps --> OWN
 *
 * While a loop is lent its thread rests. It goes on by itself when nobody has
 * stepped for MQ_LENT_US, so a borrower that stays away need not return it.
 */
#define MQ_LENT_US 5000

/* On the loop's thread: the next one that calls mq_loop_step_lent() may drive. */
void mq_loop_lend(struct mq_loop *loop);

/* Any thread: whether it is, or will be when the step of its thread ends. */
bool mq_loop_is_lent(const struct mq_loop *loop);

/* As mq_loop_step(), if the loop is lent, for MQ_LENT_US at most; one thread at a
 * time. False, at once: it is not. */
bool mq_loop_step_lent(struct mq_loop *loop, int64_t deadline_us);

/* Any thread but one that drives: the loop's thread goes on. Costs nothing where
 * the loop is not lent. */
void mq_loop_return(struct mq_loop *loop);

/* Whether the calling thread drives the loop now. */
bool mq_loop_is_self(const struct mq_loop *loop);

struct mq_env *mq_loop_env(const struct mq_loop *loop);

/* The page-aligned buffers of the loop's connections. */
struct mq_block_pool *mq_loop_pool(struct mq_loop *loop);

/* --- posts --------------------------------------------------------------- */

/* Something to be run on the loop's thread; the memory is the poster's, so
 * posting cannot fail and the queue is bounded by what exists. */
struct mq_post {
	struct mq_list node;
	void (*fn)(struct mq_post *post);
};

void mq_post_init(struct mq_post *post, void (*fn)(struct mq_post *post));

/* Any thread: runs post->fn once on the loop's thread, soon, in order. A post
 * that waits already stays where it is. Only a loop that sleeps is woken by a
 * system call; one's own never is. */
void mq_loop_post(struct mq_loop *loop, struct mq_post *post);

/* Takes back a post that has not run. On the loop's thread only. */
void mq_loop_unpost(struct mq_loop *loop, struct mq_post *post);

/* --- timers -------------------------------------------------------------- */

/* A one-shot timer. */
struct mq_timer {
	struct mq_loop *loop;
	struct event *event;
	void (*fn)(void *arg);
	void *arg;
	int64_t due_us; /* INT64_MAX: not armed */
};

bool mq_timer_init(struct mq_timer *timer, struct mq_loop *loop, void (*fn)(void *arg), void *arg);
void mq_timer_deinit(struct mq_timer *timer);

/* Runs fn at due_us (monotonic, mq_env_now_us()) or up to a millisecond later;
 * replaces what was armed before. INT64_MAX disarms. */
void mq_timer_arm(struct mq_timer *timer, int64_t due_us);

bool mq_timer_is_armed(const struct mq_timer *timer);

/* --- descriptors --------------------------------------------------------- */

enum mq_ready { MQ_READABLE = 1, MQ_WRITABLE = 2 };

/* Watches a descriptor for readiness, level-triggered. */
struct mq_watch {
	struct mq_loop *loop;
	struct event *event;
	unsigned want; /* enum mq_ready */
	int fd;
	void (*fn)(void *arg, unsigned ready);
	void *arg;
};

bool mq_watch_init(struct mq_watch *watch, struct mq_loop *loop, int fd,
		   void (*fn)(void *arg, unsigned ready), void *arg);
void mq_watch_deinit(struct mq_watch *watch); /* before the descriptor is closed */

/* What to wait for from now on; 0 is nothing. */
void mq_watch_want(struct mq_watch *watch, unsigned want);

#endif
