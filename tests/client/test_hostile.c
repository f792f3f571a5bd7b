/* The client against what may listen at an address: nothing, something silent,
 * something that is no broker, and brokers that mean harm. Each request ends by
 * its deadline, with a cause in words and bounded memory. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/fake.h"
#include "env/env.h"

#define DEADLINE_MS 400
#define SLACK_US    (2 * 1000000)
#define MEMORY_KIB  (64 * 1024)

enum mode {
	SILENT,
	CLOSES,
	NEGATIVE_LENGTH,
	HUGE_LENGTH,
	WRONG_CORRELATION_ID,
	GIANT_ARRAY,
	CUT_SHORT,
	HTTP,
	N_MODES,
};

static const struct {
	enum mode mode;
	const char *text; /* in the error */
} expected[N_MODES] = {
    {SILENT, "does not answer"},
    {CLOSES, "127.0.0.1"},
    {NEGATIVE_LENGTH, "127.0.0.1"},
    {HUGE_LENGTH, "127.0.0.1"},
    {WRONG_CORRELATION_ID, "answers none of the requests"},
    {GIANT_ARRAY, "ApiVersions"},
    {CUT_SHORT, "127.0.0.1"},
    {HTTP, "127.0.0.1"},
};

/* --- the server ------------------------------------------------------------------ */

#define CONNECTIONS_MAX 64

struct server {
	enum mode mode;
	int fd, stop_fd;
	uint16_t port;
	int n_accepted;
	struct mq_thread thread;
};

static void reply(const struct server *server, int fd, const uint8_t *request)
{
	uint8_t out[64] = {0};
	size_t size = 0;

	switch (server->mode) {
	case NEGATIVE_LENGTH:
		mq_put32(out, (uint32_t)-5);
		size = 4;
		break;
	case HUGE_LENGTH:
		mq_put32(out, INT32_MAX);
		size = sizeof(out);
		break;
	case WRONG_CORRELATION_ID:
		mq_put32(out, 16);
		mq_put32(out + 4, mq_get32(request + 8) + 77);
		size = 20;
		break;
	case GIANT_ARRAY:
		mq_put32(out, 16);
		memcpy(out + 4, request + 8, 4);
		memset(out + 10, 0xff, 4); /* the count, compact or not */
		out[14] = 0x0f;
		size = 20;
		break;
	case CUT_SHORT:
		mq_put32(out, 1000);
		memcpy(out + 4, request + 8, 4);
		size = 20;
		break;
	case HTTP:
		memcpy(out, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
		size = 28;
		break;
	default:
		return;
	}
	(void)!send(fd, out, size, MSG_NOSIGNAL);
	if (server->mode == CUT_SHORT)
		shutdown(fd, SHUT_RDWR);
}

static void serve(void *arg)
{
	struct server *server = arg;
	struct pollfd fds[CONNECTIONS_MAX + 2] = {{server->stop_fd, POLLIN, 0},
						  {server->fd, POLLIN, 0}};
	nfds_t n = 2;

	while (poll(fds, n, -1) > 0 && !fds[0].revents) {
		uint8_t buf[512];

		for (nfds_t i = 2; i < n; i++)
			if (fds[i].revents) {
				if (recv(fds[i].fd, buf, sizeof(buf), 0) >= 12)
					reply(server, fds[i].fd, buf);
				else
					fds[i].events = 0;
			}
		if (fds[1].revents && n < CONNECTIONS_MAX + 2) {
			int fd = accept(server->fd, NULL, NULL);

			server->n_accepted++;
			if (fd >= 0 && server->mode == CLOSES)
				close(fd);
			else if (fd >= 0)
				fds[n++] = (struct pollfd){fd, POLLIN, 0};
		}
	}
	for (nfds_t i = 2; i < n; i++)
		close(fds[i].fd);
}

static void server_start(struct server *server, enum mode mode)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t size = sizeof(addr);

	memset(server, 0, sizeof(*server));
	server->mode = mode;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->fd = socket(AF_INET, SOCK_STREAM, 0);
	server->stop_fd = eventfd(0, 0);
	ck_assert_int_eq(bind(server->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(server->fd, 16), 0);
	ck_assert_int_eq(getsockname(server->fd, (struct sockaddr *)&addr, &size), 0);
	server->port = ntohs(addr.sin_port);
	ck_assert_int_eq(mq_thread_start("hostile", serve, server, &server->thread), 0);
}

static void server_stop(struct server *server)
{
	const uint64_t one = 1;

	ck_assert_int_eq(write(server->stop_fd, &one, sizeof(one)), sizeof(one));
	mq_thread_join(&server->thread);
	close(server->fd);
	close(server->stop_fd);
}

/* --- the client --------------------------------------------------------------------- */

struct outcome {
	int n_open;
	mq_err err;
};

static void done(struct mq_request *req, mq_err err)
{
	struct outcome *outcome = req->arg;

	outcome->n_open--;
	outcome->err = err;
}

/* Asks for metadata; the error's text goes to text. Checks that it ends in time. */
static mq_err ask(const char *bootstrap, mq_error *error)
{
	struct mq_env *env = mq_env_system_new(1);
	struct mq_loop *loop = mq_loop_new(env);
	mq_conf *conf = fake_conf(bootstrap, NULL);
	struct mq_client_args args = {.loop = loop, .conf = conf};
	struct outcome outcome = {1, MQ_OK};
	struct mq_metadata_request request;
	struct mq_client *client;
	struct mq_request req;
	int64_t started_us;

	ck_assert_int_eq(mq_client_new(&client, &args, error), MQ_OK);
	mq_set_defaults(mq_metadata_request, &request);
	mq_request_init(&req, MQ_API_METADATA, &request, done, &outcome);
	started_us = mq_client_now_us(client);
	req.deadline_us = started_us + DEADLINE_MS * 1000;
	mq_client_send(client, &req);
	mq_client_drive(client, &outcome.n_open);
	ck_assert_int_lt(mq_client_now_us(client) - started_us, DEADLINE_MS * 1000 + SLACK_US);
	*error = req.error;
	mq_request_release(&req);
	mq_client_free(client);
	mq_conf_free(conf);
	mq_loop_free(loop);
	mq_env_system_free(env);
	return outcome.err;
}

START_TEST(whatever_answers_the_request_ends_with_a_cause)
{
	struct rusage before, after;
	struct server server;
	char bootstrap[64];
	mq_error error;
	mq_err err;

	server_start(&server, expected[_i].mode);
	snprintf(bootstrap, sizeof(bootstrap), "127.0.0.1:%u", server.port);
	getrusage(RUSAGE_SELF, &before);
	err = ask(bootstrap, &error);
	getrusage(RUSAGE_SELF, &after);
	server_stop(&server);
	ck_assert_msg(err == MQ_E_TIMED_OUT || err == MQ_E_PROTOCOL || err == MQ_E_TOO_BIG,
		      "%s: %s", mq_err_name(err), error.text);
	ck_assert_msg(strstr(error.text, expected[_i].text) != NULL, "%s", error.text);
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, MEMORY_KIB);
	/* Back-off: it does not hammer. */
	ck_assert_int_lt(server.n_accepted, CONNECTIONS_MAX);
}
END_TEST

START_TEST(refused_connection_is_told)
{
	struct server server;
	char bootstrap[64];
	mq_error error;

	/* A port that was free a moment ago. */
	server_start(&server, SILENT);
	server_stop(&server);
	snprintf(bootstrap, sizeof(bootstrap), "127.0.0.1:%u", server.port);
	ck_assert_int_eq(ask(bootstrap, &error), MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, "refused") != NULL, "%s", error.text);
}
END_TEST

START_TEST(unknown_host_is_told)
{
	mq_error error;

	ck_assert_int_eq(ask("no-such-host.invalid:9092", &error), MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, "no-such-host.invalid") != NULL, "%s", error.text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client hostile");
	TCase *tc = tcase_create("hostile");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, whatever_answers_the_request_ends_with_a_cause, 0, N_MODES);
	tcase_add_test(tc, refused_connection_is_told);
	tcase_add_test(tc, unknown_host_is_told);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
