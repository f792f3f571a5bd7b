/* The server with a service that stands in for the broker. */
#include <fcntl.h>
#include <linux/tcp.h>
#include <sys/resource.h>

#include "fake.h"

static void setup(void)
{
	fake_init();
}

static void teardown(void)
{
	fake_deinit();
}

START_TEST(pipelined_requests_are_answered_in_order)
{
	uint8_t frames[64 * 100];
	size_t size = 0;
	int fd;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	fd = raw_connect(0);
	for (int i = 0; i < 100; i++)
		size += heartbeat(frames + size, i == 50 ? "park" : "now", i);
	raw_send(fd, frames, size);
	for (int i = 0; i < 50; i++)
		expect_heartbeat(fd, i);
	fake_wait_parked(1);
	/* What comes behind a request that waits is not served before it. */
	mq_mutex_lock(&fake.lock);
	ck_assert_int_eq(fake.n_handled, 51);
	mq_mutex_unlock(&fake.lock);
	fake_release();
	for (int i = 50; i < 100; i++)
		expect_heartbeat(fd, i);
	close(fd);
}
END_TEST

START_TEST(answers_to_requests_that_came_together_leave_together)
{
	struct tcp_info info;
	socklen_t info_size = sizeof(info);
	uint8_t frames[64 * 100];
	size_t size = 0;
	int fd;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	fd = raw_connect(0);
	for (int i = 0; i < 100; i++)
		size += heartbeat(frames + size, "now", i);
	raw_send(fd, frames, size);
	for (int i = 0; i < 100; i++)
		expect_heartbeat(fd, i);
	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_size), 0);
	ck_assert_uint_le(info.tcpi_data_segs_in, 3);
	close(fd);
}
END_TEST

START_TEST(a_request_may_come_byte_by_byte)
{
	uint8_t frame[64];
	size_t size = heartbeat(frame, "now", 7);
	int fd;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	fd = raw_connect(0);
	for (size_t i = 0; i < size; i++)
		raw_send(fd, frame + i, 1);
	expect_heartbeat(fd, 7);
	close(fd);
}
END_TEST

START_TEST(a_client_that_leaves_takes_its_waiting_request_along)
{
	uint8_t frame[64];
	size_t size = heartbeat(frame, "park", 1);
	int fd;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	fd = raw_connect(0);
	raw_send(fd, frame, size);
	fake_wait_parked(1);
	close(fd);
	fake_wait_parked(0);
	ck_assert_int_eq(fake.n_cancelled, 1);
	fake_wait_connections(0);
}
END_TEST

START_TEST(clients_may_leave_at_the_moment_they_are_answered)
{
	enum { N = 4 };
	uint8_t frame[64];
	int fds[N];

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < N; i++) {
			size_t size = heartbeat(frame, "park", i);

			fds[i] = raw_connect(0);
			raw_send(fds[i], frame, size);
			if (i % 2 == 0)
				raw_send(fds[i], frame, size); /* one more behind it */
		}
		fake_wait_parked(N);
		for (int i = 0; i < N; i++) {
			if ((round + i) % 3)
				close(fds[i]);
		}
		fake_release();
		for (int i = 0; i < N; i++) {
			if ((round + i) % 3 == 0)
				close(fds[i]);
		}
		/* Those that had sent two may have got to the second by now. */
		while (mq_server_n_connections(server) > 0) {
			fake_release();
			poll(NULL, 0, 1);
		}
	}
}
END_TEST

START_TEST(strangers_are_named_and_disconnected)
{
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	static const char random[] = "\x00\x00\x00\x08\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f";
	static const char negative[] = "\xff\xff\xff\xff";
	static const char zero[] = "\x00\x00\x00\x00";
	static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	static const struct {
		const char *data;
		size_t size;
		const char *said;
	} strangers[] = {
	    {http, sizeof(http) - 1, "an HTTP request"},
	    {hello, sizeof(hello) - 1, "a TLS handshake"},
	    {random, sizeof(random) - 1, "closing the connection"},
	    {negative, sizeof(negative) - 1, "frame of -1 bytes"},
	    {zero, sizeof(zero) - 1, "closing the connection"},
	};

	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		int fd;

		/* A new server each, since its lines are rate limited. */
		server_begin("PLAINTEXT://127.0.0.1:0", 0);
		fake.log[0] = '\0';
		fd = raw_connect(0);
		raw_send(fd, strangers[i].data, strangers[i].size);
		raw_expect_end(fd);
		fake_wait_log(strangers[i].said);
		server_end();
	}
}
END_TEST

START_TEST(lines_about_strangers_are_rate_limited)
{
	const char *at;
	int n = 0;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	for (int i = 0; i < 50; i++) {
		int fd = raw_connect(0);

		raw_send(fd, "GET / HTTP/1.0\r\n\r\n", 18);
		raw_expect_end(fd);
	}
	fake_wait_log("an HTTP request");
	server_end();
	for (at = fake.log; (at = strstr(at, "an HTTP request")); at++)
		n++;
	ck_assert_int_lt(n, 10);
}
END_TEST

START_TEST(frames_above_the_limit_end_the_connection_before_memory_is_taken)
{
	uint8_t head[8] = {0, 0, 0x10, 0, 0, 12, 0, 1};
	uint8_t frame[64];
	int fd;

	conf_set("socket.request.max.bytes", "4095");
	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	fd = raw_connect(0);
	raw_send(fd, head, sizeof(head));
	raw_expect_end(fd);
	fake_wait_log("frame of 4096 bytes");
	fd = raw_connect(0);
	raw_send(fd, frame, heartbeat(frame, "now", 3));
	expect_heartbeat(fd, 3);
	close(fd);
}
END_TEST

START_TEST(an_unknown_api_ends_the_connection)
{
	uint8_t frame[64];
	size_t size = heartbeat(frame, "now", 1);
	int fd;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	mq_put16(frame + 4, MQ_API_METADATA); /* one the service does not offer */
	fd = raw_connect(0);
	raw_send(fd, frame, size);
	raw_expect_end(fd);
	mq_put16(frame + 4, 999);
	fd = raw_connect(0);
	raw_send(fd, frame, size);
	raw_expect_end(fd);
	mq_put16(frame + 4, MQ_API_HEARTBEAT);
	mq_put16(frame + 6, 99);
	fd = raw_connect(0);
	raw_send(fd, frame, size);
	raw_expect_end(fd);
	ck_assert_int_eq(fake.n_handled, 0);
}
END_TEST

START_TEST(api_versions_too_new_is_answered_in_version_0)
{
	/* size, key 18, version 99, correlation 5, client id null, junk body */
	static const uint8_t request[] = {0, 0, 0, 14,   0,    18,   0,    99,   0,
					  0, 0, 5, 0xff, 0xff, 0x00, 0xbb, 0xcc, 0xdd};
	static const uint8_t expected[] = {0, 0, 0, 16, 0, 0,  0, 5, 0, 35,
					   0, 0, 0, 1,  0, 18, 0, 0, 0, 3};
	uint8_t frame[64];
	int fd;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	fd = raw_connect(0);
	raw_send(fd, request, sizeof(request));
	ck_assert_uint_eq(raw_read_frame(fd, frame, sizeof(frame)), sizeof(expected));
	ck_assert_mem_eq(frame, expected, sizeof(expected));
	raw_send(fd, frame, heartbeat(frame, "now", 6));
	expect_heartbeat(fd, 6);
	close(fd);
}
END_TEST

START_TEST(a_body_that_is_cut_ends_the_connection)
{
	uint8_t frame[64];
	size_t size = heartbeat(frame, "now", 1);
	int fd;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	mq_put32(frame, (uint32_t)(size - 4 - 2));
	fd = raw_connect(0);
	raw_send(fd, frame, size - 2);
	raw_expect_end(fd);
	fake_wait_log("Heartbeat request");
}
END_TEST

START_TEST(a_service_can_have_the_connection_closed)
{
	uint8_t frame[64];
	int fd;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	fd = raw_connect(0);
	raw_send(fd, frame, heartbeat(frame, "deaf", 1));
	raw_expect_end(fd);
}
END_TEST

START_TEST(an_incomplete_frame_has_a_deadline)
{
	uint8_t frame[64];
	int fd, patient;

	heartbeat(frame, "now", 1);
	server_begin("PLAINTEXT://127.0.0.1:0", 50);
	patient = raw_connect(0);
	fd = raw_connect(0);
	raw_send(fd, frame, 7);
	raw_expect_end(fd);
	fake_wait_log("not completed in time");
	/* One that has sent nothing is merely idle. */
	raw_send(patient, frame, heartbeat(frame, "now", 2));
	expect_heartbeat(patient, 2);
	close(patient);
}
END_TEST

START_TEST(idle_connections_are_closed_and_waiting_ones_are_not)
{
	uint8_t frame[64];
	int fd, waiting;

	conf_set("connections.max.idle.ms", "100");
	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	waiting = raw_connect(0);
	raw_send(waiting, frame, heartbeat(frame, "park", 1));
	fake_wait_parked(1);
	fd = raw_connect(0);
	raw_expect_end(fd);
	fd = raw_connect(0);
	raw_expect_end(fd);
	fake_release();
	expect_heartbeat(waiting, 1);
	close(waiting);
}
END_TEST

START_TEST(a_reader_that_does_not_read_is_closed_and_others_are_served)
{
	/* Fetch version 4 with no topics: its answer is the file. */
	static const uint8_t fetch[] = {0,    0,    0,    31,   0,    1,    0, 4, 0, 0, 0, 1,
					0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0,
					0,    0,    0,    0,    0,    0,    0, 0, 0, 0, 0};
	char path[] = "/tmp/mq-slow-XXXXXX";
	int file = mkstemp(path), slow, fd;
	uint8_t frame[64];

	fake.file_size = 64 * 1024 * 1024;
	ck_assert_int_eq(ftruncate(file, fake.file_size), 0);
	close(file);
	ck_assert_int_eq(mq_env_open(env, path, MQ_OPEN_READ, &fake.file), 0);
	unlink(path);
	conf_set("num.network.threads", "1");
	conf_set("connections.max.idle.ms", "200");
	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	slow = raw_connect(0);
	raw_send(slow, fetch, sizeof(fetch));
	ck_assert_int_gt(raw_receive(slow, frame, 8), 0);
	fd = raw_connect(0);
	raw_send(fd, frame, heartbeat(frame, "now", 1));
	expect_heartbeat(fd, 1);
	close(fd);
	fake_wait_connections(0);
	close(slow);
}
END_TEST

START_TEST(limits_on_connections_hold)
{
	uint8_t frame[64];
	int a, b;

	conf_set("max.connections.per.ip", "1");
	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	a = raw_connect(0);
	raw_send(a, frame, heartbeat(frame, "now", 1));
	expect_heartbeat(a, 1);
	b = raw_connect(0);
	raw_expect_end(b);
	fake_wait_log("max.connections.per.ip");
	close(a);
	fake_wait_connections(0);
	b = raw_connect(0);
	raw_send(b, frame, heartbeat(frame, "now", 2));
	expect_heartbeat(b, 2);
	close(b);
}
END_TEST

static int fill_descriptors(int *fds, int max)
{
	int n = 0;

	while (n < max && (fds[n] = dup(0)) >= 0)
		n++;
	return n;
}

START_TEST(out_of_descriptors_others_go_on)
{
	struct rlimit before, limit;
	int fds[256], n, a, b;
	uint8_t frame[64];

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	a = raw_connect(0);
	raw_send(a, frame, heartbeat(frame, "now", 1));
	expect_heartbeat(a, 1);
	b = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = 128;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	n = fill_descriptors(fds, 256);
	{
		struct sockaddr_in to = {.sin_family = AF_INET,
					 .sin_port = htons(server_port(0)),
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

		ck_assert_int_eq(connect(b, (struct sockaddr *)&to, sizeof(to)), 0);
	}
	fake_wait_log("no further connections for now");
	/* Whoever is connected is served on, and a descriptor is left for files. */
	raw_send(a, frame, heartbeat(frame, "now", 2));
	expect_heartbeat(a, 2);
	fds[n] = dup(0);
	ck_assert_int_ge(fds[n], 0);
	n++;
	/* With descriptors again the one that waited is served as well. */
	for (int i = 0; i < n; i++)
		close(fds[i]);
	raw_send(b, frame, heartbeat(frame, "now", 3));
	expect_heartbeat(b, 3);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(a);
	close(b);
}
END_TEST

START_TEST(ipv6_listens_too)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	uint8_t frame[64];
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd < 0)
		return; /* a machine without IPv6 */
	conf_set("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,INNER:PLAINTEXT");
	server_begin("PLAINTEXT://127.0.0.1:0, INNER://[::1]:0", 0);
	to.sin6_port = htons(server_port(1));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	raw_send(fd, frame, heartbeat(frame, "now", 4));
	expect_heartbeat(fd, 4);
	close(fd);
}
END_TEST

START_TEST(closing_lets_requests_in_flight_end)
{
	uint8_t frame[64];
	int fd, idle;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	idle = raw_connect(0);
	fd = raw_connect(0);
	raw_send(fd, frame, heartbeat(frame, "park", 1));
	fake_wait_parked(1);
	mq_server_drain(server);
	raw_expect_end(idle);
	ck_assert(!mq_server_wait(server, mq_env_now_us(env)));
	fake_release();
	expect_heartbeat(fd, 1);
	raw_expect_end(fd);
	ck_assert(mq_server_wait(server, mq_env_now_us(env) + LONG_US));
}
END_TEST

START_TEST(killing_ends_requests_in_flight)
{
	uint8_t frame[64];
	int fd;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	fd = raw_connect(0);
	raw_send(fd, frame, heartbeat(frame, "park", 1));
	fake_wait_parked(1);
	server_end();
	raw_expect_end(fd);
	ck_assert_int_eq(fake.n_cancelled, 1);
}
END_TEST

START_TEST(bad_listeners_are_refused_with_their_reason)
{
	static const struct {
		const char *listeners;
		mq_err err;
		const char *said;
	} cases[] = {
	    {"127.0.0.1:9092", MQ_E_CONFIG, "NAME://host:port"},
	    {"PLAINTEXT://127.0.0.1", MQ_E_CONFIG, "NAME://host:port"},
	    {"PLAINTEXT://127.0.0.1:99999", MQ_E_CONFIG, "NAME://host:port"},
	    {"PLAINTEXT://::1:9092", MQ_E_CONFIG, "NAME://host:port"},
	    {"NOBODY://127.0.0.1:0", MQ_E_CONFIG, "listener.security.protocol.map"},
	    {"SASL_SSL://127.0.0.1:0", MQ_E_UNSUPPORTED, "SASL"},
	    {"SSL://127.0.0.1:0", MQ_E_CONFIG, "ssl.keystore"},
	    {"PLAINTEXT://:0,PLAINTEXT://:0", MQ_E_CONFIG, "twice"},
	    {"PLAINTEXT://192.0.2.77:0", MQ_E_SYSTEM, "192.0.2.77"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mq_server_args args = {
		    .env = env, .logger = &logger, .conf = conf, .listeners = cases[i].listeners};
		mq_error error;

		ck_assert_msg(mq_server_open(&args, &server, &error) == cases[i].err, "%s",
			      cases[i].listeners);
		ck_assert_msg(strstr(error.text, cases[i].said), "%s", error.text);
	}
}
END_TEST

START_TEST(endpoints_are_what_is_advertised)
{
	const struct mq_endpoint *endpoints;

	conf_set("advertised.listeners", "OUTER://broker.example:19092");
	conf_set("listener.security.protocol.map", "INNER:PLAINTEXT,OUTER:PLAINTEXT");
	server_begin("INNER://127.0.0.1:0,outer://127.0.0.1:0", 0);
	ck_assert_int_eq(mq_server_endpoints(server, &endpoints), 2);
	ck_assert_str_eq(endpoints[0].listener, "INNER");
	ck_assert_str_eq(endpoints[0].host, "127.0.0.1");
	ck_assert_int_eq(endpoints[0].port, server_port(0));
	ck_assert_str_eq(endpoints[1].listener, "OUTER");
	ck_assert_str_eq(endpoints[1].host, "broker.example");
	ck_assert_int_eq(endpoints[1].port, 19092);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("server");
	TCase *t = tcase_create("server");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, pipelined_requests_are_answered_in_order);
	tcase_add_test(t, answers_to_requests_that_came_together_leave_together);
	tcase_add_test(t, a_request_may_come_byte_by_byte);
	tcase_add_test(t, a_client_that_leaves_takes_its_waiting_request_along);
	tcase_add_test(t, clients_may_leave_at_the_moment_they_are_answered);
	tcase_add_test(t, strangers_are_named_and_disconnected);
	tcase_add_test(t, lines_about_strangers_are_rate_limited);
	tcase_add_test(t, frames_above_the_limit_end_the_connection_before_memory_is_taken);
	tcase_add_test(t, an_unknown_api_ends_the_connection);
	tcase_add_test(t, api_versions_too_new_is_answered_in_version_0);
	tcase_add_test(t, a_body_that_is_cut_ends_the_connection);
	tcase_add_test(t, a_service_can_have_the_connection_closed);
	tcase_add_test(t, an_incomplete_frame_has_a_deadline);
	tcase_add_test(t, idle_connections_are_closed_and_waiting_ones_are_not);
	tcase_add_test(t, a_reader_that_does_not_read_is_closed_and_others_are_served);
	tcase_add_test(t, limits_on_connections_hold);
	tcase_add_test(t, out_of_descriptors_others_go_on);
	tcase_add_test(t, ipv6_listens_too);
	tcase_add_test(t, closing_lets_requests_in_flight_end);
	tcase_add_test(t, killing_ends_requests_in_flight);
	tcase_add_test(t, bad_listeners_are_refused_with_their_reason);
	tcase_add_test(t, endpoints_are_what_is_advertised);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
