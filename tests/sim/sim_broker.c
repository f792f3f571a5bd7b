/*
 * See sim_broker.h. A life is one run of the process, from its start to its end.
 * One that was killed has no effect any more, but its memory is still there: it
 * goes on with a disk of its own until it can be closed.
 */
#include "sim/sim_broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mq/config.h>

#include "base/arena.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "sim/sim_fs.h"
#include "sim/sim_net.h"

struct life {
	struct sim_broker *broker;
	struct sim_env *disk;
	mq_conf *conf;
	struct mq_core *core;
	bool serving, ending, dead;
	int64_t due_us;
	struct mq_list sessions;
	unsigned n_sessions;
};

struct sim_broker {
	struct sim_broker_args args;
	struct sim_listener listener;
	struct sim_env *disk; /* while it is down */
	struct life *life;    /* NULL: it is down */
	unsigned n_lives;     /* those that are not closed yet count too */
	unsigned n_started;
	bool leaving;
	struct sim_fiber *keeper;
	bool torn; /* it ends within a write */
	bool distrusted;
	enum sim_end armed;
	unsigned countdown; /* changes until the armed end; 0: none */
	mq_level log_level;
};

struct session {
	struct mq_list node;
	struct life *life;
	struct sim_conn *conn;
	struct mq_peer peer;
	char host[32];
	struct mq_call call;
	const struct mq_api *api;
	int32_t correlation;
	bool done;
	mq_err err;
};

static const char *const end_names[] = {"killed", "without power", "stopped"};

/* --- sessions -------------------------------------------------------------------------- */

static void call_done(struct mq_call *call, mq_err err)
{
	struct session *session = mq_container_of(call, struct session, call);

	sim_check(!session->done, "a call is answered twice");
	session->done = true;
	session->err = err;
	sim_wake_all(session->conn);
}

/* The response as bytes, ranges of files included; NULL: a file cannot be read. */
static uint8_t *flatten(struct session *session, struct mq_wire_out *out, size_t *size)
{
	struct mq_env *env = sim_env_get(session->life->disk);
	uint8_t *data;
	size_t at = 0;

	*size = 0;
	for (size_t i = 0; i < out->n_segments; i++)
		*size += mq_wire_out_segment(out, i).size;
	data = sim_alloc(*size);
	for (size_t i = 0; i < out->n_segments; i++) {
		struct mq_piece piece = mq_wire_out_segment(out, i);

		if (piece.data) {
			memcpy(data + at, piece.data, piece.size);
		} else if (mq_env_pread(env, piece.file, data + at, piece.size, piece.position) !=
			   (int64_t)piece.size) {
			free(data);
			return NULL;
		}
		at += piece.size;
	}
	return data;
}

static bool respond(struct session *session)
{
	struct mq_wire_out out;
	uint8_t *data;
	mq_error error;
	size_t size;

	mq_wire_out_init(&out, INT32_MAX);
	sim_check(mq_frame_response(session->api, session->call.api_version, session->correlation,
				    session->call.response, &out, &error) == MQ_OK,
		  "an answer to %s cannot be encoded: %s", session->api->name, error.text);
	data = flatten(session, &out, &size);
	if (data)
		sim_conn_send(session->conn, data, size);
	mq_wire_out_deinit(&out);
	return data != NULL;
}

static bool is_over(const struct session *session)
{
	return sim_conn_ended(session->conn) || session->life->ending;
}

/* Decodes the request, has it answered, and answers. False: close. */
static bool serve_frame(struct session *session, const uint8_t *data, size_t size)
{
	struct mq_service *service = mq_core_service(session->life->core);
	struct mq_call *call = &session->call;
	struct mq_request_header header;
	struct mq_cursor in;
	bool cancelled = false;
	mq_error error;

	mq_cursor_init(&in, data + MQ_FRAME_SIZE_BYTES, size - MQ_FRAME_SIZE_BYTES);
	sim_check(mq_request_header_decode(&in, &header, &error) == MQ_OK, "a request: %s",
		  error.text);
	session->api = mq_api_find(header.api_key);
	session->correlation = header.correlation_id;
	session->done = false;
	call->api_key = header.api_key;
	call->api_version = header.api_version;
	call->client_id = header.client_id;
	call->response = NULL;
	call->request = mq_arena_get(&call->arena, session->api->request->root->size);
	sim_check(mq_message_decode(session->api->request, call->api_version, &in, &call->arena,
				    call->request, &error) == MQ_OK,
		  "a %s request: %s", session->api->name, error.text);
	sim_trace("%s on %llu", session->api->name, (unsigned long long)sim_conn_id(session->conn));
	service->handle(service, call);
	while (!session->done) {
		if (sim_conn_ended(session->conn) && !cancelled) {
			cancelled = true;
			(void)service->cancel(service, call);
			continue;
		}
		(void)sim_wait(session->conn, INT64_MAX);
	}
	return session->err == MQ_OK && (!call->response || respond(session));
}

static void serve(void *arg)
{
	struct session *session = arg;
	struct life *life = session->life;
	uint8_t *data;
	size_t size;
	bool ok = true;

	sim_set_process(life);
	while (ok) {
		if (sim_conn_receive(session->conn, &data, &size)) {
			ok = !life->ending && serve_frame(session, data, size);
			mq_call_release(&session->call);
			free(data);
		} else if (is_over(session)) {
			ok = false;
		} else {
			(void)sim_wait(session->conn, INT64_MAX);
		}
	}
	sim_conn_close(session->conn);
	mq_list_remove(&session->node);
	life->n_sessions--;
	sim_wake_all(life);
	free(session);
}

static void accept(struct sim_listener *listener, struct sim_conn *conn)
{
	struct sim_broker *broker = mq_container_of(listener, struct sim_broker, listener);
	struct session *session = sim_alloc(sizeof(*session));
	struct life *life = broker->life;

	session->life = life;
	session->conn = conn;
	snprintf(session->host, sizeof(session->host), "10.0.0.%u",
		 (unsigned)(sim_conn_id(conn) % 250 + 1));
	session->peer = (struct mq_peer){.listener = "PLAINTEXT",
					 .principal = "User:ANONYMOUS",
					 .host = session->host,
					 .connection_id = sim_conn_id(conn)};
	session->call.peer = &session->peer;
	session->call.done = call_done;
	mq_arena_init(&session->call.arena, 0);
	mq_list_init(&session->call.node);
	mq_list_push(&life->sessions, &session->node);
	life->n_sessions++;
	sim_fiber_detach(sim_fiber_start("session", serve, session));
}

/* --- lives -------------------------------------------------------------------------------- */

static void rearm(void *arg, int64_t due_us)
{
	struct life *life = arg;

	life->due_us = due_us;
	sim_wake_all(life);
}

static void log_line(void *arg, mq_level level, const char *line)
{
	(void)arg;
	sim_trace("broker log %d: %s", (int)level, line);
}

static void read_conf(struct life *life)
{
	const char *const *pair = life->broker->args.conf;
	mq_error error;

	life->conf = mq_conf_new(MQ_ROLE_BROKER);
	sim_check(mq_conf_set(life->conf, "log.dirs", "data", &error) == MQ_OK, "%s", error.text);
	for (; pair && *pair; pair += 2)
		sim_check(mq_conf_set(life->conf, pair[0], pair[1], &error) == MQ_OK, "%s",
			  error.text);
}

static void on_change(void *arg, struct sim_env *disk, enum sim_op op)
{
	struct sim_broker *broker = arg;

	if (broker->countdown == 0 || !broker->life || broker->life->disk != disk ||
	    --broker->countdown > 0)
		return;
	broker->torn = op == SIM_WRITE;
	sim_broker_end(broker, broker->armed);
	broker->torn = false;
}

static void clear_faults(struct sim_env *disk)
{
	for (int op = 0; op < SIM_N_OPS; op++)
		sim_env_fail(disk, (enum sim_op)op, 0, 0, false);
	sim_env_set_capacity(disk, -1);
	sim_env_set_read_only(disk, false);
}

static bool life_open(struct life *life)
{
	struct sim_broker *broker = life->broker;
	struct mq_logger logger = {log_line, life, MQ_LEVEL_INFO};
	struct mq_core_args args = {.env = sim_env_get(life->disk),
				    .logger = &logger,
				    .conf = life->conf,
				    .rearm = rearm,
				    .rearm_arg = life};
	struct mq_endpoint endpoint = {"PLAINTEXT", broker->args.host, broker->args.port};
	mq_error error;

	if (mq_core_open(&life->core, &args, &error) != MQ_OK) {
		sim_trace("the broker does not start: %s", error.text);
		life->core = NULL;
		return false;
	}
	life->due_us = mq_core_tick(life->core, sim_now());
	sim_check(mq_core_set_endpoints(life->core, &endpoint, 1) == MQ_OK, "endpoints");
	if (broker->args.up && !life->ending)
		broker->args.up(broker->args.arg, life->core, life->disk);
	return true;
}

static void life_close(struct life *life)
{
	struct sim_broker *broker = life->broker;
	struct mq_list *it;

	life->ending = true;
	if (life->core)
		mq_core_stop(life->core);
	mq_list_each (it, &life->sessions)
		sim_wake_all(mq_list_entry(it, struct session, node)->conn);
	while (life->n_sessions > 0)
		(void)sim_wait(life, INT64_MAX);
	mq_core_close(life->core);
	sim_host_drain(life->disk);
	sim_host_leave(life->disk);
	mq_conf_free(life->conf);
	if (life->dead) {
		sim_env_free(life->disk);
	} else {
		sim_env_set_hook(life->disk, NULL, NULL);
		broker->disk = life->disk;
		broker->life = NULL;
	}
	broker->n_lives--;
	sim_wake_all(broker);
	free(life);
}

static void live(void *arg)
{
	struct life *life = arg;
	struct sim_broker *broker = life->broker;

	sim_set_process(life);
	if (life_open(life) && !life->ending) {
		life->serving = true;
		broker->listener.state = SIM_LISTEN_OPEN;
		sim_trace("the broker is up");
		sim_wake_all(broker);
		while (!life->ending)
			if (life->due_us <= sim_now())
				life->due_us = mq_core_tick(life->core, sim_now());
			else
				(void)sim_wait(life, life->due_us);
	}
	if (!life->dead)
		broker->listener.state = SIM_LISTEN_REFUSES;
	life_close(life);
}

static void life_start(struct sim_broker *broker)
{
	struct life *life = sim_alloc(sizeof(*life));

	life->broker = broker;
	life->disk = broker->disk;
	broker->disk = NULL;
	life->due_us = INT64_MAX;
	mq_list_init(&life->sessions);
	broker->life = life;
	broker->n_lives++;
	broker->n_started++;
	read_conf(life);
	sim_host_join(life->disk, &broker->args.pace);
	sim_env_set_hook(life->disk, on_change, broker);
	sim_fiber_detach(sim_fiber_start("broker", live, life));
}

/* --- the process ------------------------------------------------------------------------------ */

/* Starts it again and again. */
static void keep(void *arg)
{
	struct sim_broker *broker = arg;

	while (!broker->leaving) {
		if (broker->life) {
			(void)sim_wait(broker, INT64_MAX);
			continue;
		}
		if (broker->n_started > 0)
			sim_sleep(sim_time(broker->args.down_us));
		/* The machine is back before the process is. */
		if (broker->listener.state == SIM_LISTEN_DARK)
			broker->listener.state = SIM_LISTEN_REFUSES;
		if (!broker->leaving)
			life_start(broker);
	}
}

struct sim_broker *sim_broker_new(const struct sim_broker_args *args)
{
	struct sim_broker *broker = sim_alloc(sizeof(*broker));

	broker->args = *args;
	broker->disk = sim_env_new(sim_random());
	broker->listener = (struct sim_listener){
	    .host = args->host, .port = args->port, .state = SIM_LISTEN_REFUSES, .accept = accept};
	sim_listen(&broker->listener);
	broker->keeper = sim_fiber_start("keeper", keep, broker);
	return broker;
}

static void die(struct sim_broker *broker, enum sim_end end)
{
	struct life *life = broker->life;
	struct mq_list *it;

	if (end == SIM_POWER)
		broker->disk = sim_env_crash_image(life->disk, sim_random());
	else
		broker->disk = sim_env_killed(
		    life->disk, broker->torn ? (enum sim_torn)sim_below(SIM_N_TORN) : SIM_TORN_ALL);
	sim_env_set_hook(life->disk, NULL, NULL);
	clear_faults(life->disk);
	sim_env_set_capacity(broker->disk, -1);
	life->dead = life->ending = true;
	broker->life = NULL;
	if (end == SIM_POWER)
		broker->distrusted = false;
	broker->listener.state = end == SIM_POWER ? SIM_LISTEN_DARK : SIM_LISTEN_REFUSES;
	mq_list_each (it, &life->sessions)
		sim_conn_die(mq_list_entry(it, struct session, node)->conn, end == SIM_KILL);
	sim_wake_all(life);
}

void sim_broker_end(struct sim_broker *broker, enum sim_end end)
{
	struct life *life = broker->life;

	if (broker->distrusted)
		end = SIM_POWER;
	if (!life || (end == SIM_STOP && life->ending))
		return;
	sim_trace("the broker is %s%s", end_names[end], life->serving ? "" : " while it starts");
	if (end == SIM_STOP) {
		broker->listener.state = SIM_LISTEN_REFUSES;
		life->ending = true;
		sim_wake_all(life);
	} else {
		die(broker, end);
	}
	broker->countdown = 0;
	if (broker->args.down)
		broker->args.down(broker->args.arg, end);
	sim_wake_all(broker);
}

void sim_broker_end_at_change(struct sim_broker *broker, enum sim_end end, unsigned nth)
{
	broker->armed = end;
	broker->countdown = nth;
}

void sim_broker_heal(struct sim_broker *broker)
{
	broker->countdown = 0;
	clear_faults(broker->life ? broker->life->disk : broker->disk);
	if (sim_broker_distrust(broker, false))
		sim_broker_end(broker, SIM_POWER);
}

bool sim_broker_distrust(struct sim_broker *broker, bool on)
{
	broker->distrusted = broker->distrusted || on;
	return broker->distrusted;
}

bool sim_broker_is_up(const struct sim_broker *broker)
{
	return broker->life && broker->life->serving && !broker->life->ending;
}

bool sim_broker_wait_up(struct sim_broker *broker, int64_t us)
{
	int64_t until_us = sim_now() + us;

	while (!sim_broker_is_up(broker) && sim_now() < until_us)
		(void)sim_wait(broker, until_us);
	return sim_broker_is_up(broker);
}

struct sim_env *sim_broker_disk(struct sim_broker *broker)
{
	return broker->life ? broker->life->disk : NULL;
}

struct mq_core *sim_broker_core(struct sim_broker *broker)
{
	return sim_broker_is_up(broker) ? broker->life->core : NULL;
}

void sim_broker_free(struct sim_broker *broker)
{
	broker->leaving = true;
	sim_broker_end(broker, SIM_STOP);
	sim_wake_all(broker);
	sim_fiber_join(broker->keeper);
	while (broker->n_lives > 0)
		(void)sim_wait(broker, INT64_MAX);
	sim_unlisten(&broker->listener);
	sim_env_free(broker->disk);
	free(broker);
}
