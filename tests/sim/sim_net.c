/* The network: see sim_net.h. */
#include "sim/sim_net.h"

#include <stdlib.h>
#include <string.h>

#include "sim/sim_fs.h"
#include "sim/sim_world.h"

/* No network is faster. */
#define TRAVEL_MIN_US 20

/* When a server finds out that nobody is at the other end any more. */
#define KEEPALIVE_MIN_US (30 * SIM_SEC)
#define KEEPALIVE_MAX_US (120 * SIM_SEC)

/* Processes that are cut off at a time. */
#define ALONE_MAX 16

struct message {
	struct mq_list node;
	uint8_t *data; /* NULL: the end */
	size_t size;
	int64_t due_us;
};

/* One direction. */
struct pipe {
	struct sim_conn *conn;
	struct mq_list flying;
	int64_t last_us;
	bool lost; /* what is sent from now on does not arrive */
	struct sim_event arrival;
};

struct sim_conn {
	struct mq_list node;
	uint64_t id;
	struct sim_listener *listener;
	struct pipe up, down;
	struct sim_client *client; /* NULL: it has closed */
	bool served;               /* the server has not closed */
	bool ended;                /* as the server sees it */
	bool dead;                 /* the server's process is no more */
	const void *process;       /* the client's */
	struct mq_list inbox;      /* the server's */
};

struct sim_dial {
	struct sim_client *client;
	const void *process;
	char *host;
	uint16_t port;
	struct sim_event done;
};

static struct sim_net net;
static struct mq_list listeners = {&listeners, &listeners};
static struct mq_list conns = {&conns, &conns};
static uint64_t n_conns;
static const void *alone[ALONE_MAX]; /* processes without a network */

void sim_net_set(const struct sim_net *settings)
{
	net = *settings;
}

int64_t sim_net_write_time(void)
{
	return sim_chance(net.slow_write) ? 1 + sim_time(net.write_us) : 0;
}

void sim_listen(struct sim_listener *listener)
{
	mq_list_push(&listeners, &listener->node);
}

void sim_unlisten(struct sim_listener *listener)
{
	mq_list_remove(&listener->node);
}

static struct sim_listener *find(const char *host, uint16_t port)
{
	struct mq_list *it;

	mq_list_each (it, &listeners) {
		struct sim_listener *listener = mq_list_entry(it, struct sim_listener, node);

		if (listener->port == port && strcmp(listener->host, host) == 0)
			return listener;
	}
	return NULL;
}

/* --- pipes ------------------------------------------------------------------------------- */

static void drop(struct message *message)
{
	mq_list_remove(&message->node);
	free(message->data);
	free(message);
}

static void drop_all(struct mq_list *messages)
{
	while (!mq_list_empty(messages))
		drop(mq_list_entry(messages->next, struct message, node));
}

static void conn_free_if_done(struct sim_conn *conn)
{
	if (conn->client || conn->served)
		return;
	sim_event_disarm(&conn->up.arrival);
	sim_event_disarm(&conn->down.arrival);
	drop_all(&conn->up.flying);
	drop_all(&conn->down.flying);
	drop_all(&conn->inbox);
	mq_list_remove(&conn->node);
	free(conn);
}

static int64_t travel_time(void)
{
	int64_t us = TRAVEL_MIN_US + (int64_t)sim_below((uint64_t)net.latency_us + 1);

	if (sim_chance(net.spike))
		us += sim_time(net.spike_us);
	return us;
}

static void arm(struct pipe *pipe)
{
	if (!mq_list_empty(&pipe->flying))
		sim_event_arm(&pipe->arrival,
			      mq_list_entry(pipe->flying.next, struct message, node)->due_us);
}

static void put(struct pipe *pipe, uint8_t *data, size_t size, int64_t due_us)
{
	struct message *message = sim_alloc(sizeof(*message));
	bool first = mq_list_empty(&pipe->flying);

	message->data = data;
	message->size = size;
	message->due_us = pipe->last_us = MQ_MAX(due_us, pipe->last_us);
	mq_list_push(&pipe->flying, &message->node);
	if (first)
		arm(pipe);
}

/* Takes some of the last messages out of the air; nothing that is sent from now
 * on arrives. */
static void lose(struct pipe *pipe)
{
	struct mq_list *it, *tmp;
	uint64_t n = 0, kept;

	pipe->lost = true;
	mq_list_each (it, &pipe->flying)
		n++;
	kept = sim_below(n + 1);
	mq_list_each_safe (it, tmp, &pipe->flying)
		if (kept > 0)
			kept--;
		else
			drop(mq_list_entry(it, struct message, node));
	if (mq_list_empty(&pipe->flying))
		sim_event_disarm(&pipe->arrival);
}

static void put_end(struct pipe *pipe, int64_t due_us)
{
	put(pipe, NULL, 0, due_us);
}

static void cut(struct sim_conn *conn)
{
	sim_trace("connection %llu is cut", (unsigned long long)conn->id);
	lose(&conn->up);
	lose(&conn->down);
	put_end(&conn->up, sim_now() + travel_time());
	put_end(&conn->down, sim_now() + travel_time());
}

static void silence(struct sim_conn *conn)
{
	uint64_t which = sim_below(3);

	sim_trace("connection %llu falls silent (%llu)", (unsigned long long)conn->id,
		  (unsigned long long)which);
	if (which != 0)
		lose(&conn->down);
	if (which != 1) {
		lose(&conn->up);
		put_end(&conn->up, sim_now() + sim_between(KEEPALIVE_MIN_US, KEEPALIVE_MAX_US));
	}
}

static void send(struct pipe *pipe, uint8_t *data, size_t size)
{
	struct sim_conn *conn = pipe->conn;

	if (pipe->lost) {
		free(data);
		/* A machine that is back knows nothing of this connection. */
		if (pipe == &conn->up && conn->dead && mq_list_empty(&conn->down.flying) &&
		    conn->listener->state != SIM_LISTEN_DARK)
			put_end(&conn->down, sim_now() + travel_time());
		return;
	}
	put(pipe, data, size, sim_now() + travel_time());
	if (sim_chance(net.cut))
		cut(conn);
	else if (sim_chance(net.silent))
		silence(conn);
}

/* --- arrivals ----------------------------------------------------------------------------------
 */

static void arrive_up(void *arg)
{
	struct sim_conn *conn = arg;
	struct message *message = mq_list_entry(conn->up.flying.next, struct message, node);

	mq_list_remove(&message->node);
	arm(&conn->up);
	if (!conn->served || conn->ended) {
		drop(message);
		return;
	}
	if (message->data) {
		mq_list_push(&conn->inbox, &message->node);
	} else {
		conn->ended = true;
		drop(message);
	}
	sim_wake_all(conn);
}

static void arrive_down(void *arg)
{
	struct sim_conn *conn = arg;
	struct message *message = mq_list_entry(conn->down.flying.next, struct message, node);

	mq_list_remove(&message->node);
	arm(&conn->down);
	if (conn->client && message->data) {
		conn->client->message(conn->client, message->data, message->size);
		message->data = NULL;
	} else if (conn->client) {
		conn->client->down(conn->client, "the connection was closed or reset");
	}
	drop(message);
}

/* --- the server's end ---------------------------------------------------------------------------
 */

bool sim_conn_receive(struct sim_conn *conn, uint8_t **data, size_t *size)
{
	struct message *message;

	if (mq_list_empty(&conn->inbox) || conn->dead)
		return false;
	message = mq_list_entry(conn->inbox.next, struct message, node);
	*data = message->data;
	*size = message->size;
	message->data = NULL;
	drop(message);
	return true;
}

bool sim_conn_ended(const struct sim_conn *conn)
{
	return conn->ended || conn->dead;
}

uint64_t sim_conn_id(const struct sim_conn *conn)
{
	return conn->id;
}

void sim_conn_send(struct sim_conn *conn, uint8_t *data, size_t size)
{
	if (conn->dead)
		free(data);
	else
		send(&conn->down, data, size);
}

void sim_conn_close(struct sim_conn *conn)
{
	conn->served = false;
	if (!conn->dead && !conn->down.lost)
		put_end(&conn->down, sim_now() + travel_time());
	conn->down.lost = true;
	conn_free_if_done(conn);
}

void sim_conn_die(struct sim_conn *conn, bool tell)
{
	conn->dead = conn->ended = true;
	conn->up.lost = true;
	lose(&conn->down);
	if (tell)
		put_end(&conn->down, sim_now() + travel_time());
	sim_wake_all(conn);
}

/* --- the client's end
 * ------------------------------------------------------------------------------ */

void sim_client_send(struct sim_conn *conn, uint8_t *data, size_t size)
{
	send(&conn->up, data, size);
}

void sim_client_close(struct sim_conn *conn)
{
	conn->client = NULL;
	if (!conn->up.lost)
		put_end(&conn->up, sim_now() + travel_time());
	conn->up.lost = true;
	conn_free_if_done(conn);
}

static bool is_alone(const void *process)
{
	for (size_t i = 0; i < ALONE_MAX; i++)
		if (alone[i] && alone[i] == process)
			return true;
	return false;
}

void sim_net_isolate(const void *process, bool on)
{
	struct mq_list *it;
	size_t i = 0;

	while (alone[i] != (on ? NULL : process))
		sim_check(++i < ALONE_MAX, "too many processes are alone");
	alone[i] = on ? process : NULL;
	mq_list_each (it, &conns) {
		struct sim_conn *conn = mq_list_entry(it, struct sim_conn, node);

		if (!on || conn->process != process || !conn->client)
			continue;
		lose(&conn->up);
		lose(&conn->down);
		/* The server is told, or finds out. */
		put_end(&conn->up, sim_now() + (sim_chance(500) ? travel_time()
								: sim_between(KEEPALIVE_MIN_US,
									      KEEPALIVE_MAX_US)));
	}
}

static void dial_free(struct sim_dial *dial)
{
	sim_event_disarm(&dial->done);
	free(dial->host);
	free(dial);
}

static void dialed(void *arg)
{
	struct sim_dial *dial = arg;
	struct sim_client *client = dial->client;
	const void *process = dial->process;
	struct sim_listener *listener = find(dial->host, dial->port);
	struct sim_conn *conn;

	if (is_alone(dial->process) || (listener && listener->state == SIM_LISTEN_DARK))
		return; /* until the client gives up */
	dial_free(dial);
	if (!listener || listener->state != SIM_LISTEN_OPEN || sim_chance(net.refuse)) {
		client->down(client, "connection refused");
		return;
	}
	conn = sim_alloc(sizeof(*conn));
	conn->id = ++n_conns;
	conn->listener = listener;
	conn->process = process;
	conn->client = client;
	conn->served = true;
	conn->up.conn = conn->down.conn = conn;
	mq_list_init(&conn->up.flying);
	mq_list_init(&conn->down.flying);
	mq_list_init(&conn->inbox);
	sim_event_init(&conn->up.arrival, arrive_up, conn);
	sim_event_init(&conn->down.arrival, arrive_down, conn);
	mq_list_push(&conns, &conn->node);
	sim_trace("connection %llu is open", (unsigned long long)conn->id);
	listener->accept(listener, conn);
	client->up(client, conn);
}

struct sim_dial *sim_dial(struct sim_client *client, const char *host, uint16_t port)
{
	struct sim_dial *dial = sim_alloc(sizeof(*dial));

	dial->client = client;
	dial->process = sim_process();
	dial->host = strdup(host);
	dial->port = port;
	sim_event_init(&dial->done, dialed, dial);
	sim_event_arm(&dial->done, sim_now() + travel_time() + sim_time(net.dial_us));
	return dial;
}

void sim_dial_cancel(struct sim_dial *dial)
{
	dial_free(dial);
}

/* --- the whole
 * ------------------------------------------------------------------------------------- */

static struct sim_conn *any_conn(void)
{
	struct sim_conn *chosen = NULL;
	struct mq_list *it;
	uint64_t n = 0;

	mq_list_each (it, &conns) {
		struct sim_conn *conn = mq_list_entry(it, struct sim_conn, node);

		if (conn->client && conn->served && !conn->up.lost && !conn->down.lost &&
		    sim_below(++n) == 0)
			chosen = conn;
	}
	return chosen;
}

void sim_net_cut_one(void)
{
	struct sim_conn *conn = any_conn();

	if (conn)
		cut(conn);
}

void sim_net_silence_one(void)
{
	struct sim_conn *conn = any_conn();

	if (conn)
		silence(conn);
}

void sim_net_end(void)
{
	sim_check(mq_list_empty(&conns), "connections are left open");
	sim_check(mq_list_empty(&listeners), "listeners are left");
	n_conns = 0;
}
