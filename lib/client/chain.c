/* Running the chain of interceptors. */
#include "client/chain.h"

#include "base/conf.h"
#include "base/err.h"

static void close_first(const struct mq_chain *chain, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (chain->items[i].close)
			chain->items[i].close(chain->items[i].arg);
}

mq_err mq_chain_open(struct mq_chain *chain, const mq_conf *conf, mq_error *error)
{
	mq_error cause = {MQ_OK, ""};

	chain->items = mq_conf_interceptors(conf, &chain->n);
	chain->logger = mq_conf_logger(conf);
	for (size_t i = 0; i < chain->n; i++) {
		const mq_interceptor *item = &chain->items[i];
		mq_err err = item->configure ? item->configure(item->arg, conf, &cause) : MQ_OK;

		if (err == MQ_OK)
			continue;
		close_first(chain, i);
		chain->n = 0;
		return mq_fail(error, err, "interceptor %.100s: %.300s", item->name,
			       cause.text[0] ? cause.text : mq_err_text(err));
	}
	return MQ_OK;
}

void mq_chain_close(const struct mq_chain *chain)
{
	close_first(chain, chain->n);
}

void mq_chain_on_send(const struct mq_chain *chain, mq_record *record, struct mq_memory *memory)
{
	for (size_t i = 0; i < chain->n; i++) {
		const mq_interceptor *item = &chain->items[i];
		mq_record copy = *record;
		mq_err err = item->on_send ? item->on_send(item->arg, &copy, memory) : MQ_OK;

		if (err == MQ_OK)
			*record = copy;
		else
			mq_say(chain->logger, MQ_LEVEL_WARN,
			       "interceptor %s: on_send fails, the record goes on as it was: %s",
			       item->name, mq_err_text(err));
	}
}

void mq_chain_on_acknowledgement(const struct mq_chain *chain, const mq_sent *sent)
{
	for (size_t i = 0; i < chain->n; i++)
		if (chain->items[i].on_acknowledgement)
			chain->items[i].on_acknowledgement(chain->items[i].arg, sent);
}

bool mq_chain_consumes(const struct mq_chain *chain)
{
	for (size_t i = 0; i < chain->n; i++)
		if (chain->items[i].on_consume)
			return true;
	return false;
}

bool mq_chain_on_consume(const struct mq_chain *chain, mq_received *record,
			 struct mq_memory *memory)
{
	for (size_t i = 0; i < chain->n; i++)
		if (chain->items[i].on_consume &&
		    !chain->items[i].on_consume(chain->items[i].arg, record, memory))
			return false;
	return true;
}

bool mq_chain_commits(const struct mq_chain *chain)
{
	for (size_t i = 0; i < chain->n; i++)
		if (chain->items[i].on_commit)
			return true;
	return false;
}

void mq_chain_on_commit(const struct mq_chain *chain, const mq_offset *offsets, size_t n)
{
	for (size_t i = 0; i < chain->n; i++)
		if (chain->items[i].on_commit)
			chain->items[i].on_commit(chain->items[i].arg, offsets, n);
}
