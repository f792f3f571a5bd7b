/*
 * The link within the process: a call is a call. A registered service counts
 * the threads inside it, so that it can be taken out while links to it exist.
 */
#include "config.h"

#include "net/link.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/thread.h"

struct mq_inproc {
	struct mq_list node;
	char *name; /* NULL: none */
	struct mq_service *service;
	/* Who enters counts first and then looks, who closes says so first and then
	 * counts: so one of the two sees the other. */
	atomic_uint inside; /* threads in the service */
	atomic_bool closed;
	struct mq_mutex lock; /* guards what follows, and waiting for empty */
	struct mq_cond empty;
	unsigned refs; /* the registration and the links */
};

struct inproc_link {
	struct mq_link link;
	struct mq_inproc *inproc;
	struct mq_peer peer;
};

static struct mq_mutex registry_lock = MQ_MUTEX_INITIALIZER;
static struct mq_list registry = {&registry, &registry};

static struct inproc_link *inproc_of(struct mq_link *link)
{
	return mq_container_of(link, struct inproc_link, link);
}

static struct mq_inproc *find(const char *name)
{
	struct mq_list *node;

	mq_list_each (node, &registry) {
		struct mq_inproc *inproc = mq_list_entry(node, struct mq_inproc, node);

		if (inproc->name && strcmp(inproc->name, name) == 0)
			return inproc;
	}
	return NULL;
}

static void unref(struct mq_inproc *inproc)
{
	bool last;

	mq_mutex_lock(&inproc->lock);
	last = --inproc->refs == 0;
	mq_mutex_unlock(&inproc->lock);
	if (!last)
		return;
	mq_cond_deinit(&inproc->empty);
	mq_mutex_deinit(&inproc->lock);
	free(inproc->name);
	free(inproc);
}

mq_err mq_inproc_register(const char *name, struct mq_service *service, struct mq_inproc **out,
			  mq_error *error)
{
	struct mq_inproc *inproc = calloc(1, sizeof(*inproc));
	bool taken = false;

	if (inproc && name)
		inproc->name = strdup(name);
	if (!inproc || (name && !inproc->name)) {
		free(inproc);
		return mq_fail(error, MQ_E_NOMEM, "out of memory to register a broker");
	}
	inproc->service = service;
	inproc->refs = 1;
	mq_mutex_init(&inproc->lock);
	mq_cond_init(&inproc->empty);
	mq_mutex_lock(&registry_lock);
	taken = name && find(name);
	if (!taken)
		mq_list_push(&registry, &inproc->node);
	mq_mutex_unlock(&registry_lock);
	if (taken) {
		unref(inproc);
		return mq_fail(error, MQ_E_EXISTS,
			       "another broker of this process has mq.inproc.name %s", name);
	}
	*out = inproc;
	return MQ_OK;
}

bool mq_inproc_close(struct mq_inproc *inproc, int64_t deadline_us)
{
	bool empty, in_time = true;

	mq_mutex_lock(&registry_lock);
	mq_list_remove(&inproc->node);
	mq_mutex_unlock(&registry_lock);
	mq_mutex_lock(&inproc->lock);
	inproc->closed = true;
	/* They are inside for the time of one request, not of one wait. */
	while (inproc->inside > 0 && in_time)
		in_time = mq_cond_wait(&inproc->empty, &inproc->lock, deadline_us);
	empty = inproc->inside == 0;
	mq_mutex_unlock(&inproc->lock);
	return empty;
}

void mq_inproc_unregister(struct mq_inproc *inproc)
{
	/* Who is inside is so for the time of one request and waits for nothing
	 * there; what they run in cannot be taken from under them. */
	(void)mq_inproc_close(inproc, MQ_NEVER_US);
	unref(inproc);
}

/* The link that leads here holds a reference meanwhile. */
static MQ_HOT void leave(struct mq_inproc *inproc)
{
	if (MQ_LIKELY(atomic_fetch_sub(&inproc->inside, 1) > 1 || !atomic_load(&inproc->closed)))
		return;
	mq_mutex_lock(&inproc->lock);
	mq_cond_broadcast(&inproc->empty);
	mq_mutex_unlock(&inproc->lock);
}

static bool enter(struct mq_inproc *inproc)
{
	atomic_fetch_add(&inproc->inside, 1);
	if (!atomic_load(&inproc->closed))
		return true;
	leave(inproc);
	return false;
}

static MQ_HOT void inproc_start(struct mq_link *link, struct mq_call *call)
{
	struct inproc_link *in = inproc_of(link);

	if (MQ_UNLIKELY(!enter(in->inproc))) {
		call->done(call, MQ_E_CLOSED);
		return;
	}
	call->peer = &in->peer;
	in->inproc->service->handle(in->inproc->service, call);
	leave(in->inproc);
}

/* Stopping a service answers what waits in it: nothing is left to cancel then. */
static bool inproc_cancel(struct mq_link *link, struct mq_call *call)
{
	struct inproc_link *in = inproc_of(link);
	bool cancelled;

	if (!enter(in->inproc))
		return false;
	cancelled = in->inproc->service->cancel(in->inproc->service, call);
	leave(in->inproc);
	return cancelled;
}

static void inproc_close(struct mq_link *link)
{
	struct inproc_link *in = inproc_of(link);

	unref(in->inproc);
	free(in);
}

static const struct mq_link_ops inproc_ops = {inproc_start, inproc_cancel, inproc_close};

mq_err mq_inproc_link_to(struct mq_inproc *inproc, struct mq_link **out, mq_error *error)
{
	static _Atomic uint64_t last_id;
	struct inproc_link *in = calloc(1, sizeof(*in));

	if (!in)
		return mq_fail(error, MQ_E_NOMEM, "out of memory for a connection");
	in->link.ops = &inproc_ops;
	in->inproc = inproc;
	/* The highest bit tells these ids from those of sockets. */
	in->peer =
	    (struct mq_peer){.listener = "inproc",
			     .principal = "User:ANONYMOUS",
			     .host = "127.0.0.1",
			     .connection_id = UINT64_C(1) << 63 | atomic_fetch_add(&last_id, 1),
			     .in_process = true};
	mq_mutex_lock(&inproc->lock);
	inproc->refs++;
	mq_mutex_unlock(&inproc->lock);
	*out = &in->link;
	return MQ_OK;
}

mq_err mq_inproc_link_open(const char *name, struct mq_link **out, mq_error *error)
{
	struct mq_inproc *inproc;
	mq_err err;

	mq_mutex_lock(&registry_lock);
	inproc = find(name);
	if (inproc)
		err = mq_inproc_link_to(inproc, out, error);
	else
		err = mq_fail(error, MQ_E_NOT_FOUND, "no broker of this process is named %s", name);
	mq_mutex_unlock(&registry_lock);
	return err;
}
