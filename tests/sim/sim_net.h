/*
 * The network between simulated processes: connections on which messages
 * arrive in order and late, or not at all.
 *
 *     link (client) -> up   -> server end
 *                   <- down <-
 *
 * A connection that is cut delivers a part of what is on its way, then both
 * ends are told. One that falls silent delivers nothing more in one direction
 * or both, and tells nobody. What a client has sent before it closed arrives
 * all the same, perhaps long after it has connected again.
 */
#ifndef MQ_TESTS_SIM_NET_H
#define MQ_TESTS_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/* How the network behaves; chances are per mille, of each message or dial. */
struct sim_net {
	int64_t latency_us, spike_us, dial_us, write_us;
	unsigned spike, cut, silent, refuse, slow_write;
};

/* Applies from now on. */
void sim_net_set(const struct sim_net *net);

/* --- who is reached ---------------------------------------------------------------- */

struct sim_conn;

enum sim_listen_state {
	SIM_LISTEN_OPEN,
	SIM_LISTEN_REFUSES, /* the process is not there */
	SIM_LISTEN_DARK,    /* the machine is not there: no answer */
};

struct sim_listener {
	struct mq_list node;
	const char *host;
	uint16_t port;
	enum sim_listen_state state;
	/* A connection for the server, which closes it in the end. */
	void (*accept)(struct sim_listener *listener, struct sim_conn *conn);
};

void sim_listen(struct sim_listener *listener);
void sim_unlisten(struct sim_listener *listener);

/* --- the server's end ----------------------------------------------------------------- */

/* Whoever waits for a connection waits on its address (sim_wait). */

/* The next message, which the caller frees; false: there is none now. */
bool sim_conn_receive(struct sim_conn *conn, uint8_t **data, size_t *size);
/* Nothing will come any more. */
bool sim_conn_ended(const struct sim_conn *conn);
uint64_t sim_conn_id(const struct sim_conn *conn);
/* Takes the bytes over. */
void sim_conn_send(struct sim_conn *conn, uint8_t *data, size_t size);
void sim_conn_close(struct sim_conn *conn);

/* The process of this end is no more: the client is told (a kill), or not (the power
 * went). What of its messages was on its way arrives in part. The connection has
 * ended then and is still to be closed. */
void sim_conn_die(struct sim_conn *conn, bool tell);

/* Cuts a process of clients (sim_process) off from everybody, or lets it in again. */
void sim_net_isolate(const void *process, bool on);

/* Breaks a connection of the network, chosen by chance. */
void sim_net_cut_one(void);
void sim_net_silence_one(void);
/* No connection may be left; before the world ends. */
void sim_net_end(void);

/* --- the client's end, for sim_link.c --------------------------------------------------- */

struct sim_client {
	void (*up)(struct sim_client *client, struct sim_conn *conn);
	/* It could not be connected, or has ended. */
	void (*down)(struct sim_client *client, const char *why);
	void (*message)(struct sim_client *client, uint8_t *data, size_t size); /* takes data */
};

struct sim_dial;
/* Connects; cancelled before up() or down() came, neither comes. */
struct sim_dial *sim_dial(struct sim_client *client, const char *host, uint16_t port);
void sim_dial_cancel(struct sim_dial *dial);
void sim_client_send(struct sim_conn *conn, uint8_t *data, size_t size);
void sim_client_close(struct sim_conn *conn);
/* How long a write takes until the kernel has it; 0 mostly. */
int64_t sim_net_write_time(void);

#endif
