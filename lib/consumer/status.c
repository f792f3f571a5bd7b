/* Why polls bring nothing: looked for where the reason would be, the nearest to
 * the application first. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "consumer/consumer.h"
#include "consumer/fetch.h"
#include "consumer/group.h"

struct finding {
	mq_consumer_reason reason;
	mq_error error; /* code MQ_OK: nothing has failed */
};

static void find(struct finding *f, mq_consumer_reason reason, const mq_error *error,
		 const char *text)
{
	f->reason = reason;
	f->error.code = error ? error->code : MQ_OK;
	(void)snprintf(f->error.text, sizeof(f->error.text), "%s", error ? error->text : text);
}

static bool look_at_group(const struct mq_cons *cons, struct finding *f)
{
	const struct mq_membership *g = cons->group;

	if (!g || !mq_sub_by_group(&cons->sub))
		return false;
	if (g->fatal.code != MQ_OK)
		find(f, MQ_REASON_COORDINATOR, &g->fatal, NULL);
	else if (g->too_slow)
		find(f, MQ_REASON_POLL_TOO_SLOW, NULL,
		     "max.poll.interval.ms has passed between polls: the group was left");
	else if (g->trouble.code != MQ_OK)
		find(f, MQ_REASON_COORDINATOR, &g->trouble, NULL);
	else if (g->state == MQ_GROUP_JOINING && g->join.busy && !g->join_sent)
		find(f, MQ_REASON_COORDINATOR, NULL, "the group's coordinator is looked for");
	else if (g->state != MQ_GROUP_STABLE && g->state != MQ_GROUP_PREPARING)
		find(f, MQ_REASON_REBALANCE, NULL, "the group is being rebalanced");
	else
		return false;
	/* With cooperative assignors what is kept is read on meanwhile. */
	return cons->sub.n_parts == 0 || f->reason != MQ_REASON_REBALANCE;
}

static bool all_paused(const struct mq_sub *sub)
{
	struct mq_list *it;

	mq_sub_each(it, sub) if (!mq_sub_part_of(it)->paused) return false;
	return true;
}

/* What keeps positions from being known. */
static bool look_at_positions(const struct mq_cons *cons, struct finding *f)
{
	struct mq_list *it;

	mq_sub_each(it, &cons->sub)
	{
		const struct mq_sub_part *part = mq_sub_part_of(it);
		char text[MQ_SUB_NAME_MAX + 64];

		if (part->state != MQ_PART_UNKNOWN || part->paused)
			continue;
		(void)snprintf(text, sizeof(text), "the committed offset of %.249s-%d is asked for",
			       part->topic->name, part->index);
		find(f, MQ_REASON_POSITION, NULL, text);
		return true;
	}
	return false;
}

static void look(struct mq_cons *cons, mq_consumer_event *event, struct finding *f)
{
	const struct mq_sub *sub = &cons->sub;

	find(f, MQ_REASON_NONE, NULL, "");
	if (sub->kind == MQ_SUB_NONE) {
		find(f, MQ_REASON_NOT_SUBSCRIBED, NULL,
		     "nothing is subscribed to, and no partitions are assigned");
	} else if (cons->unreached.code != MQ_OK) {
		find(f, MQ_REASON_NO_BROKER, &cons->unreached, NULL);
	} else if (cons->meta_error.code != MQ_OK) {
		find(f, MQ_REASON_NO_BROKER, &cons->meta_error, NULL);
	} else if (look_at_group(cons, f)) {
		return;
	} else if (cons->no_topic.code != MQ_OK) {
		find(f, MQ_REASON_NO_TOPIC, &cons->no_topic, NULL);
	} else if (cons->meta.updated_us == INT64_MIN) {
		find(f, MQ_REASON_NO_BROKER, NULL, "no broker has answered yet");
	} else if (sub->n_parts == 0) {
		find(f, MQ_REASON_NO_ASSIGNMENT, NULL,
		     sub->n_topics == 0 ? "no topic matches the pattern"
					: "the group has given this member no partition");
	} else if (all_paused(sub)) {
		find(f, MQ_REASON_PAUSED, NULL, "every partition is paused");
	} else if (!look_at_positions(cons, f)) {
		mq_fetcher_status(cons, event);
		f->reason = event->reason;
		f->error.code = event->err;
		(void)snprintf(f->error.text, sizeof(f->error.text), "%s",
			       event->text ? event->text : "");
	}
}

bool mq_cons_look_at_status(struct mq_cons *cons, bool call_back)
{
	mq_consumer_event event = {.partition = -1};
	struct finding f;
	int64_t now_us = mq_cons_now_us(cons);
	bool other, calls;

	look(cons, &event, &f);
	other = f.reason != cons->status.reason || f.error.code != cons->status.err;
	if (other)
		cons->status_us = now_us;
	cons->status_text = f.error;
	cons->status.reason = f.reason;
	cons->status.err = f.error.code;
	cons->status.text = cons->status_text.text;
	cons->status.topic = NULL;
	cons->status.partition = event.partition;
	if (event.topic) {
		(void)snprintf(cons->status_topic, sizeof(cons->status_topic), "%s", event.topic);
		cons->status.topic = cons->status_topic;
	}
	cons->status.since_ms = (now_us - cons->status_us) / 1000;
	calls = (f.reason != cons->told_reason || f.error.code != cons->told_err) && call_back &&
		cons->event;
	if (calls) {
		cons->told_reason = f.reason;
		cons->told_err = f.error.code;
		event = cons->status;
		mq_cons_callback_begin(cons);
		cons->event(cons->event_arg, &event);
		mq_cons_callback_end(cons);
	}
	return calls;
}
