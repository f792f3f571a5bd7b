/* Calls: giving back what a response borrows. */
#include "config.h"

#include "net/call.h"

bool mq_call_on_release(struct mq_call *call, void (*fn)(void *arg), void *arg)
{
	struct mq_release *release = mq_arena_get(&call->arena, sizeof(*release));

	if (!release)
		return false;
	*release = (struct mq_release){call->releases, fn, arg};
	call->releases = release;
	return true;
}

MQ_HOT void mq_call_release(struct mq_call *call)
{
	struct mq_release *release;

	for (release = call->releases; MQ_UNLIKELY(release != NULL); release = release->next)
		release->fn(release->arg);
	call->releases = NULL;
	call->response = NULL;
	mq_arena_reset(&call->arena);
}
