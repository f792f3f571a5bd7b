/* The interceptors of a client, one after the other. */
#ifndef MQ_CLIENT_CHAIN_H
#define MQ_CLIENT_CHAIN_H

#include <mq/consumer.h>
#include <mq/interceptor.h>

#include "base/arena.h"
#include "base/logger.h"

/* Borrowed from a configuration. */
struct mq_chain {
	const mq_interceptor *items;
	size_t n;
	const struct mq_logger *logger;
};

/* Configures all of them; on an error those that were are closed. */
mq_err mq_chain_open(struct mq_chain *chain, const mq_conf *conf, mq_error *error);
void mq_chain_close(const struct mq_chain *chain);

/* What the chain makes of a record. */
void mq_chain_on_send(const struct mq_chain *chain, mq_record *record, struct mq_memory *memory);

void mq_chain_on_acknowledgement(const struct mq_chain *chain, const mq_sent *sent);

/* Whether a record that was received is to be handed out, and as what. */
bool mq_chain_on_consume(const struct mq_chain *chain, mq_received *record,
			 struct mq_memory *memory);
bool mq_chain_consumes(const struct mq_chain *chain);

void mq_chain_on_commit(const struct mq_chain *chain, const mq_offset *offsets, size_t n);
bool mq_chain_commits(const struct mq_chain *chain);

#endif
