/* The shell: the lock and the thread around the core; beginning and end. */
#include "consumer/consumer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"
#include "consumer/commit.h"
#include "consumer/fetch.h"
#include "consumer/group.h"
#include "consumer/topics_call.h"
#include "env/notify.h"
#include "env/system.h"

/* Name look-ups block, so they have a worker. */
#define WORKERS 1

#define WAIT_MAX_US (INT64_MAX / 4)

/* What a consumer that is freed without a close has to commit and to leave its
 * group, which would wait for it else. */
#define FREE_US 1000000

/* --- the core's way out ------------------------------------------------------------ */

static void port_send(void *arg, struct mq_request *req)
{
	struct mq_consumer *c = arg;

	mq_client_send(c->client, req);
}

static void port_cancel(void *arg, struct mq_request *req)
{
	struct mq_consumer *c = arg;

	mq_client_cancel(c->client, req);
}

static mq_err port_learn(void *arg, const struct mq_metadata_response *response)
{
	struct mq_consumer *c = arg;

	return mq_client_learn(c->client, response);
}

static void port_wake(void *arg)
{
	struct mq_consumer *c = arg;

	if (c->woken)
		return;
	c->woken = true;
	mq_loop_post(c->loop, &c->wake);
}

static void port_tell(void *arg)
{
	struct mq_consumer *c = arg;

	if (c->n_waiting > 0) {
		mq_cond_broadcast(&c->changed);
		/* Who waits for much receives it better by itself; not who may go on to
		 * wait for a descriptor. */
		if (c->cons.streaming && c->fd < 0 && mq_loop_is_self(c->loop))
			mq_loop_lend(c->loop);
	}
	if (c->fd >= 0 && !c->fd_set && mq_cons_has_work(&c->cons)) {
		c->fd_set = true;
		mq_notify_set(c->fd);
	}
}

/* Who is not waiting yet looks again before it does. */
static void port_nudge(void *arg)
{
	struct mq_consumer *c = arg;

	if (c->n_waiting > 0)
		mq_cond_broadcast(&c->changed);
}

static void port_lock(void *arg)
{
	struct mq_consumer *c = arg;

	mq_mutex_lock(&c->lock);
}

static void port_unlock(void *arg)
{
	struct mq_consumer *c = arg;

	mq_mutex_unlock(&c->lock);
}

static void on_reach(void *arg, const mq_error *why)
{
	struct mq_consumer *c = arg;

	mq_mutex_lock(&c->lock);
	c->cons.unreached = why ? *why : (mq_error){MQ_OK, ""};
	mq_cons_tell(&c->cons);
	mq_mutex_unlock(&c->lock);
}

/* --- the loop's thread ----------------------------------------------------------------- */

static void turn(struct mq_consumer *c)
{
	int64_t now_us = mq_env_now_us(c->env), due_us = INT64_MAX;

	mq_mutex_lock(&c->lock);
	c->woken = false;
	mq_cons_step(&c->cons, now_us, &due_us);
	mq_timer_arm(&c->timer, due_us);
	mq_mutex_unlock(&c->lock);
}

static void on_wake(struct mq_post *post)
{
	turn(mq_container_of(post, struct mq_consumer, wake));
}

static void on_timer(void *arg)
{
	turn(arg);
}

/* Without a group nothing is committed: auto.offset.reset says where to begin. */
static void begin_somewhere(struct mq_cons *cons)
{
	struct mq_list *it;

	mq_sub_each(it, &cons->sub)
	{
		struct mq_sub_part *part = mq_sub_part_of(it);

		if (part->state == MQ_PART_UNKNOWN && part->error.code == MQ_OK)
			mq_offsets_reset(cons, part, MQ_E_NO_OFFSET);
	}
}

void mq_cons_step(struct mq_cons *cons, int64_t now_us, int64_t *due_us)
{
	mq_topics_step(cons, now_us, due_us);
	mq_topics_calls_step(cons, now_us, due_us);
	if (cons->group) {
		mq_commits_step(cons->commits, now_us, due_us);
		mq_membership_step(cons->group, now_us, due_us);
	} else {
		begin_somewhere(cons);
	}
	mq_fetcher_step(cons, now_us, due_us);
}

/* --- beginning ------------------------------------------------------------------------------ */

static mq_err find_direct(struct mq_consumer *c, mq_error *error)
{
	struct mq_address *addresses;
	int n;
	mq_err err =
	    mq_addresses_parse(mq_conf_str(c->conf, "bootstrap.servers"), &addresses, &n, error);

	if (err != MQ_OK)
		return err;
	if (addresses[0].inproc) {
		memcpy(c->direct_name, addresses[0].host, sizeof(c->direct_name));
		c->cons.direct_name = c->direct_name;
	}
	free(addresses);
	return MQ_OK;
}

static void drop_part(void *arg, struct mq_sub_part *part)
{
	mq_fetcher_drop(arg, part);
}

static mq_err make_core(struct mq_consumer *c, mq_error *error)
{
	struct mq_cons *cons = &c->cons;
	uint64_t seeds[2];
	mq_err err;

	cons->port = (struct mq_cons_port){.env = c->env,
					   .logger = c->logger,
					   .send = port_send,
					   .cancel = port_cancel,
					   .learn = port_learn,
					   .wake = port_wake,
					   .tell = port_tell,
					   .nudge = port_nudge,
					   .lock = port_lock,
					   .unlock = port_unlock,
					   .arg = c};
	cons->face = c;
	mq_env_random(c->env, &cons->random, sizeof(cons->random));
	mq_env_random(c->env, seeds, sizeof(seeds));
	mq_sub_init(&cons->sub, seeds[0]);
	cons->sub.drop = drop_part;
	cons->sub.drop_arg = cons;
	mq_meta_init(&cons->meta, seeds[1]);
	mq_list_init(&cons->topics_calls);
	mq_ask_init(&cons->meta_ask, cons);
	cons->event = mq_conf_consumer_event(c->conf, &cons->event_arg);
	cons->status_us = mq_env_now_us(c->env);
	c->has_core = true;
	err = mq_chain_open(&cons->chain, c->conf, error);
	if (err == MQ_OK)
		err = mq_fetcher_new(&cons->fetcher, cons, error);
	if (err == MQ_OK && cons->settings.group_id) {
		err = mq_commits_new(&cons->commits, cons, error);
		if (err == MQ_OK)
			err = mq_membership_new(&cons->group, cons, c->conf, error);
	}
	return err;
}

static mq_err start(struct mq_consumer *c, const struct mq_dialer *dialer, mq_error *error)
{
	struct mq_client_args args = {
	    .conf = c->conf, .dialer = dialer, .reach = on_reach, .arg = c};
	mq_err err = mq_consumer_settings_read(&c->cons.settings, c->conf, error);

	if (err == MQ_OK && !dialer)
		err = find_direct(c, error);
	if (err != MQ_OK)
		return err;
	c->env = mq_env_system_new(WORKERS);
	if (c->env)
		c->loop = mq_loop_new(c->env);
	if (!c->loop)
		return mq_fail(error, MQ_E_NOMEM, "out of memory or of descriptors");
	mq_post_init(&c->wake, on_wake);
	c->has_timer = mq_timer_init(&c->timer, c->loop, on_timer, c);
	if (!c->has_timer)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	err = make_core(c, error);
	args.loop = c->loop;
	if (err == MQ_OK)
		err = mq_client_new(&c->client, &args, error);
	if (err == MQ_OK)
		err = mq_loop_start(c->loop, "mq-consumer", error);
	c->started = err == MQ_OK;
	return err;
}

mq_err mq_consumer_make(struct mq_consumer **out, const mq_conf *conf,
			const struct mq_dialer *dialer, mq_error *error)
{
	struct mq_consumer *c = mq_calloc(1, sizeof(*c));
	mq_err err;

	if (!c)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	c->forks = mq_env_forks();
	c->fd = -1;
	mq_mutex_init(&c->lock);
	mq_cond_init(&c->changed);
	c->conf = mq_conf_dup(conf);
	if (c->conf) {
		c->logger = mq_conf_logger(c->conf);
		err = start(c, dialer, error);
	} else {
		err = mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	if (err != MQ_OK) {
		mq_consumer_destroy(c);
		return err;
	}
	mq_conf_say_known(c->conf);
	*out = c;
	return MQ_OK;
}

/* --- the end ------------------------------------------------------------------------------------
 */

/* Ends the thread and whatever is under way. Without the lock. */
static void stop(struct mq_consumer *c)
{
	if (!c->started)
		return;
	c->started = false;
	mq_loop_stop(c->loop);
	mq_loop_join(c->loop);
	mq_fetcher_cancel(c->cons.fetcher);
	mq_client_free(c->client);
	c->client = NULL;
	mq_loop_unpost(c->loop, &c->wake);
	mq_timer_arm(&c->timer, INT64_MAX);
}

static void free_core(struct mq_cons *cons)
{
	mq_fetcher_recycle(cons, cons->records);
	mq_topics_calls_free(cons);
	mq_commits_free(cons->commits);
	mq_membership_free(cons->group);
	mq_sub_deinit(&cons->sub);
	mq_fetcher_free(cons->fetcher);
	mq_meta_deinit(&cons->meta);
	mq_ask_deinit(&cons->meta_ask);
}

mq_err mq_consumer_shut(struct mq_consumer *c, int64_t deadline_us, mq_error *error)
{
	struct mq_cons *cons = &c->cons;
	mq_err err = MQ_OK;

	mq_cons_stop_stepping(cons);
	mq_fetcher_recycle(cons, cons->records);
	cons->records = NULL;
	c->state = MQ_CONSUMER_CLOSING;
	if (cons->group)
		err = mq_membership_close(cons->group, deadline_us, error);
	cons->closing = true;
	mq_mutex_unlock(&c->lock);
	stop(c);
	mq_mutex_lock(&c->lock);
	if (cons->commits)
		mq_commits_report(cons->commits);
	mq_sub_clear(&cons->sub);
	c->state = MQ_CONSUMER_CLOSED;
	return err;
}

void mq_consumer_destroy(struct mq_consumer *c)
{
	if (!c)
		return;
	assert(c->in_callback == 0 && !c->in_assignor);
	if (c->started && c->state == MQ_CONSUMER_OPEN && mq_consumer_enter(c, NULL) == MQ_OK) {
		(void)mq_consumer_shut(c, mq_env_now_us(c->env) + FREE_US, NULL);
		mq_consumer_leave(c);
	}
	stop(c);
	mq_client_free(c->client);
	if (c->has_core)
		free_core(&c->cons);
	mq_chain_close(&c->cons.chain);
	if (c->has_timer)
		mq_timer_deinit(&c->timer);
	mq_loop_free(c->loop);
	mq_env_system_free(c->env);
	mq_conf_free(c->conf);
	if (c->fd >= 0)
		mq_notify_close(c->fd);
	mq_cond_deinit(&c->changed);
	mq_mutex_deinit(&c->lock);
	free(c);
}

/* --- who is inside -------------------------------------------------------------------------------
 */

mq_err mq_consumer_enter(struct mq_consumer *c, mq_error *error)
{
	const void *self = mq_thread_self(), *nobody = NULL;

	if (atomic_load_explicit(&c->owner, memory_order_relaxed) != self &&
	    !atomic_compare_exchange_strong(&c->owner, &nobody, self))
		return mq_fail(error, MQ_E_STATE, "another thread is using the consumer");
	if (c->in_assignor)
		return mq_fail(error, MQ_E_STATE, "an assignor cannot call its consumer");
	c->depth++;
	mq_mutex_lock(&c->lock);
	if (c->state != MQ_CONSUMER_CLOSED)
		return MQ_OK;
	mq_consumer_leave(c);
	return mq_fail(error, MQ_E_CLOSED, "the consumer is closed");
}

void mq_consumer_leave(struct mq_consumer *c)
{
	mq_mutex_unlock(&c->lock);
	if (--c->depth == 0)
		atomic_store(&c->owner, NULL);
}

void mq_cons_callback_begin(struct mq_cons *cons)
{
	if (cons->face)
		cons->face->in_callback++;
	cons->port.unlock(cons->port.arg);
}

void mq_cons_callback_end(struct mq_cons *cons)
{
	cons->port.lock(cons->port.arg);
	if (cons->face)
		cons->face->in_callback--;
}

void mq_cons_assignor_begin(struct mq_cons *cons)
{
	if (cons->face)
		cons->face->in_assignor = true;
}

void mq_cons_assignor_end(struct mq_cons *cons)
{
	if (cons->face)
		cons->face->in_assignor = false;
}

bool mq_consumer_lock(struct mq_consumer *c)
{
	if (atomic_load(&c->owner) == mq_thread_self() && c->in_assignor)
		return false;
	mq_mutex_lock(&c->lock);
	return true;
}

void mq_consumer_unlock(struct mq_consumer *c, bool taken)
{
	if (taken)
		mq_mutex_unlock(&c->lock);
}

/* --- waiting
 * -------------------------------------------------------------------------------------- */

bool mq_consumer_wait(struct mq_consumer *c, int64_t deadline_us)
{
	bool in_time;

	mq_loop_return(c->loop);
	c->n_waiting++;
	in_time = mq_cond_wait(&c->changed, &c->lock, deadline_us);
	c->n_waiting--;
	return in_time;
}

bool mq_consumer_take_wakeup(struct mq_consumer *c)
{
	bool wakeup = c->wakeup && c->state == MQ_CONSUMER_OPEN;

	if (wakeup)
		c->wakeup = false;
	return wakeup;
}

int64_t mq_consumer_deadline(const struct mq_consumer *c, int timeout_ms)
{
	int64_t us = timeout_ms >= 0 ? (int64_t)timeout_ms * 1000 : c->cons.settings.api_us;

	return mq_env_now_us(c->env) + MQ_MIN(us, WAIT_MAX_US);
}
