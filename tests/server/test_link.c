/* The client's links against a server: TCP and in process. */
#include <fcntl.h>

#include "fake.h"

static void setup(void)
{
	fake_init();
}

static void teardown(void)
{
	fake_deinit();
}

static struct mq_heartbeat_request beat(const char *group, int n)
{
	struct mq_heartbeat_request request;

	mq_set_defaults(mq_heartbeat_request, &request);
	request.group_id = mq_str(group);
	request.generation_id = n;
	request.member_id = mq_str("m");
	return request;
}

static int answer_of(struct waiter *w)
{
	return ((struct mq_heartbeat_response *)w->call.response)->throttle_time_ms;
}

START_TEST(calls_before_the_connection_is_up_are_sent_when_it_is)
{
	struct mq_heartbeat_request request[20];
	struct waiter w[20];
	struct client c;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	client_open(&c, "127.0.0.1", server_port(0), NULL);
	for (int i = 0; i < 20; i++) {
		request[i] = beat("now", i);
		waiter_init(&w[i], MQ_API_HEARTBEAT, (int16_t)(i % 5), &request[i]);
		mq_link_start(c.link, &w[i].call);
	}
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(waiter_wait(&w[i]), MQ_OK);
		/* Version 0 has no throttle time. */
		ck_assert_int_eq(answer_of(&w[i]), i % 5 == 0 ? 0 : i);
		waiter_deinit(&w[i]);
	}
	client_close(&c);
}
END_TEST

/* A request and a response of that many bytes. */
static void echo(struct client *c, size_t size)
{
	struct mq_sync_group_request_assignment assignment;
	struct mq_sync_group_request request;
	struct mq_sync_group_response *response;
	uint8_t *data = malloc(size);
	struct waiter w;

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 31 + (i >> 12));
	mq_set_defaults(mq_sync_group_request, &request);
	mq_set_defaults(mq_sync_group_request_assignment, &assignment);
	request.group_id = request.member_id = assignment.member_id = mq_str("x");
	assignment.assignment = mq_mem(data, size);
	request.assignments = &assignment;
	request.n_assignments = 1;
	waiter_init(&w, MQ_API_SYNC_GROUP, 3, &request);
	mq_link_start(c->link, &w.call);
	ck_assert_int_eq(waiter_wait(&w), MQ_OK);
	response = w.call.response;
	ck_assert(mq_bytes_eq(response->assignment, mq_mem(data, size)));
	waiter_deinit(&w);
	free(data);
}

START_TEST(frames_of_all_sizes_come_through)
{
	static const size_t sizes[] = {0,     1,     100,   1990,    2048,    16300, 16384,
				       65000, 65536, 65537, 1000000, 9000000, 100,   300000};
	struct client c;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	client_open(&c, "127.0.0.1", server_port(0), NULL);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		echo(&c, sizes[i]);
	client_close(&c);
}
END_TEST

/* Answers that are sent at once and such that wait for the next, from one packet
 * of requests. */
START_TEST(small_and_big_answers_keep_their_order)
{
	static const size_t sizes[] = {1, 1, 5000, 900, 900, 1, 90000, 30};
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	struct mq_sync_group_request_assignment assignment[N];
	struct mq_sync_group_request request[N];
	static uint8_t data[90000];
	struct waiter w[N];
	struct client c;

	memset(data, 3, sizeof(data));
	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	client_open(&c, "127.0.0.1", server_port(0), NULL);
	for (int i = 0; i < N; i++) {
		mq_set_defaults(mq_sync_group_request, &request[i]);
		mq_set_defaults(mq_sync_group_request_assignment, &assignment[i]);
		request[i].group_id = request[i].member_id = assignment[i].member_id = mq_str("x");
		assignment[i].assignment = mq_mem(data, sizes[i]);
		request[i].assignments = &assignment[i];
		request[i].n_assignments = 1;
		waiter_init(&w[i], MQ_API_SYNC_GROUP, 3, &request[i]);
		mq_link_start(c.link, &w[i].call);
	}
	for (int i = 0; i < N; i++) {
		const struct mq_sync_group_response *response;

		ck_assert_int_eq(waiter_wait(&w[i]), MQ_OK);
		response = w[i].call.response;
		ck_assert(mq_bytes_eq(response->assignment, mq_mem(data, sizes[i])));
		waiter_deinit(&w[i]);
	}
	client_close(&c);
}
END_TEST

START_TEST(a_response_outlives_its_link)
{
	struct mq_sync_group_request_assignment assignment;
	struct mq_sync_group_request request;
	struct mq_sync_group_response *response;
	static uint8_t data[200000];
	struct client c;
	struct waiter w;

	memset(data, 7, sizeof(data));
	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	client_open(&c, "127.0.0.1", server_port(0), NULL);
	mq_set_defaults(mq_sync_group_request, &request);
	mq_set_defaults(mq_sync_group_request_assignment, &assignment);
	request.group_id = request.member_id = assignment.member_id = mq_str("x");
	assignment.assignment = mq_mem(data, sizeof(data));
	request.assignments = &assignment;
	request.n_assignments = 1;
	waiter_init(&w, MQ_API_SYNC_GROUP, 3, &request);
	mq_link_start(c.link, &w.call);
	ck_assert_int_eq(waiter_wait(&w), MQ_OK);
	client_close(&c);
	response = w.call.response;
	ck_assert(mq_bytes_eq(response->assignment, mq_mem(data, sizeof(data))));
	waiter_deinit(&w);
}
END_TEST

static void produce(struct client *c, int acks, uint8_t *records, size_t size)
{
	struct mq_produce_request_partition partition;
	struct mq_produce_request_topic topic;
	struct mq_produce_request request;
	struct mq_piece piece = {.data = records, .size = size};
	struct waiter w;

	mq_set_defaults(mq_produce_request, &request);
	mq_set_defaults(mq_produce_request_topic, &topic);
	mq_set_defaults(mq_produce_request_partition, &partition);
	partition.records.pieces = &piece;
	partition.records.n_pieces = 1;
	topic.name = mq_str("t");
	topic.partition_data = &partition;
	topic.n_partition_data = 1;
	request.acks = (int16_t)acks;
	request.topic_data = &topic;
	request.n_topic_data = 1;
	waiter_init(&w, MQ_API_PRODUCE, 7, &request);
	mq_link_start(c->link, &w.call);
	ck_assert_int_eq(waiter_wait(&w), MQ_OK);
	if (acks == 0) {
		ck_assert_ptr_null(w.call.response);
	} else {
		struct mq_produce_response *response = w.call.response;

		ck_assert_int_eq(response->responses[0].partition_responses[0].base_offset,
				 (int64_t)size);
	}
	waiter_deinit(&w);
}

START_TEST(produce_without_acks_has_no_response_and_keeps_the_order)
{
	static uint8_t records[100000];
	struct client c;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	client_open(&c, "localhost", server_port(0), NULL);
	for (int i = 0; i < 10; i++)
		produce(&c, i % 3 == 0 ? 1 : 0, records, sizeof(records) - (size_t)i);
	produce(&c, 0, records, 5);
	client_close(&c);
	/* Sent is not served yet, but will be: the end of the stream comes after. */
	fake_wait_produced(10 * 100000 - 45 + 5);
}
END_TEST

static int no_fd(struct mq_env *any, struct mq_file *file)
{
	(void)any;
	(void)file;
	return -1;
}

/* With sendfile, and where a file has no descriptor. */
START_TEST(files_are_sent_as_they_are)
{
	static struct mq_env_ops ops;
	struct mq_fetch_request request;
	char path[] = "/tmp/mq-link-XXXXXX";
	int fd = mkstemp(path);
	struct mq_fetch_response *response;
	struct client c;
	struct waiter w;
	uint8_t *data;

	if (_i == 1) {
		ops = *env->ops;
		ops.fd = no_fd;
		env->ops = &ops;
	}
	fake.file_size = _i == 2 ? 5000 : 3 * 1000 * 1000 + 17;
	data = malloc((size_t)fake.file_size);
	for (int64_t i = 0; i < fake.file_size; i++)
		data[i] = (uint8_t)(i ^ i >> 9);
	ck_assert_int_eq(write(fd, data, (size_t)fake.file_size), fake.file_size);
	close(fd);
	ck_assert_int_eq(mq_env_open(env, path, MQ_OPEN_READ, &fake.file), 0);
	ck_assert_int_eq(unlink(path), 0);
	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	client_open(&c, "127.0.0.1", server_port(0), NULL);
	mq_set_defaults(mq_fetch_request, &request);
	waiter_init(&w, MQ_API_FETCH, 11, &request);
	request.rack_id = mq_str("");
	mq_link_start(c.link, &w.call);
	ck_assert_int_eq(waiter_wait(&w), MQ_OK);
	response = w.call.response;
	for (int i = 0; i < 3; i++) {
		const struct mq_piece *piece =
		    &response->responses[0].partitions[i].records.pieces[0];

		ck_assert_uint_eq(piece->size, i == 1 ? FAKE_BEGINNING : (size_t)fake.file_size);
		ck_assert_mem_eq(piece->data, data, piece->size);
	}
	waiter_deinit(&w);
	/* A file that has become shorter cannot be sent: the connection ends. */
	fake.file_size++;
	waiter_init(&w, MQ_API_FETCH, 11, &request);
	mq_link_start(c.link, &w.call);
	ck_assert_int_eq(waiter_wait(&w), MQ_E_DISCONNECTED);
	waiter_deinit(&w);
	client_close(&c);
	server_end();
	free(data);
}
END_TEST

START_TEST(a_refused_connection_says_so)
{
	struct mq_heartbeat_request request = beat("now", 1);
	struct client c;
	struct waiter w;
	uint16_t port;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	port = server_port(0);
	server_end();
	client_open(&c, "127.0.0.1", port, NULL);
	waiter_init(&w, MQ_API_HEARTBEAT, 1, &request);
	mq_link_start(c.link, &w.call);
	ck_assert_int_eq(waiter_wait(&w), MQ_E_CONNECT);
	client_wait(&c, &c.down);
	ck_assert_msg(strstr(c.why.text, "127.0.0.1") && strstr(c.why.text, "refused"), "%s",
		      c.why.text);
	waiter_deinit(&w);
	/* And it stays down. */
	waiter_init(&w, MQ_API_HEARTBEAT, 1, &request);
	mq_link_start(c.link, &w.call);
	ck_assert_int_eq(waiter_wait(&w), MQ_E_CONNECT);
	waiter_deinit(&w);
	client_close(&c);
}
END_TEST

START_TEST(a_name_that_does_not_exist_says_so)
{
	struct client c;

	client_open(&c, "no-such-host.invalid", 9092, NULL);
	client_wait(&c, &c.down);
	ck_assert_int_eq(c.why.code, MQ_E_DNS);
	ck_assert_msg(strstr(c.why.text, "no-such-host.invalid"), "%s", c.why.text);
	client_close(&c);
}
END_TEST

START_TEST(a_deadline_that_passes_takes_the_link_down)
{
	struct mq_heartbeat_request slow = beat("park", 1), quick = beat("now", 2);
	struct waiter a, b;
	struct client c;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	client_open(&c, "127.0.0.1", server_port(0), NULL);
	client_wait(&c, &c.up);
	waiter_init(&a, MQ_API_HEARTBEAT, 1, &slow);
	waiter_init(&b, MQ_API_HEARTBEAT, 1, &quick);
	a.call.deadline_us = mq_env_now_us(env) + 30000;
	mq_link_start(c.link, &a.call);
	mq_link_start(c.link, &b.call);
	ck_assert_int_eq(waiter_wait(&a), MQ_E_TIMED_OUT);
	ck_assert_int_eq(waiter_wait(&b), MQ_E_TIMED_OUT);
	waiter_deinit(&a);
	waiter_deinit(&b);
	client_close(&c);
}
END_TEST

START_TEST(a_cancelled_call_ends_and_the_others_go_on)
{
	struct mq_heartbeat_request slow = beat("park", 1), quick = beat("now", 2);
	struct waiter a, b;
	struct client c;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	client_open(&c, "127.0.0.1", server_port(0), NULL);
	client_wait(&c, &c.up);
	waiter_init(&a, MQ_API_HEARTBEAT, 1, &slow);
	waiter_init(&b, MQ_API_HEARTBEAT, 1, &quick);
	mq_link_start(c.link, &a.call);
	mq_link_start(c.link, &b.call);
	fake_wait_parked(1);
	ck_assert(mq_link_cancel(c.link, &a.call));
	ck_assert_int_eq(waiter_wait(&a), MQ_E_CLOSED);
	ck_assert(!mq_link_cancel(c.link, &a.call));
	fake_release();
	ck_assert_int_eq(waiter_wait(&b), MQ_OK);
	ck_assert_int_eq(answer_of(&b), 2);
	waiter_deinit(&a);
	waiter_deinit(&b);
	client_close(&c);
}
END_TEST

START_TEST(the_end_of_the_server_fails_what_is_in_flight)
{
	struct mq_heartbeat_request slow = beat("park", 1);
	struct waiter w;
	struct client c;

	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	client_open(&c, "127.0.0.1", server_port(0), NULL);
	waiter_init(&w, MQ_API_HEARTBEAT, 1, &slow);
	mq_link_start(c.link, &w.call);
	fake_wait_parked(1);
	server_end();
	ck_assert_int_eq(waiter_wait(&w), MQ_E_DISCONNECTED);
	client_wait(&c, &c.down);
	waiter_deinit(&w);
	client_close(&c);
}
END_TEST

/* Takes one connection, swallows a request and answers with these bytes. */
static void impostor(const void *answer, size_t size, mq_err expected)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct mq_heartbeat_request request = beat("now", 1);
	socklen_t n = sizeof(at);
	uint8_t frame[128];
	struct client c;
	struct waiter w;
	int fd = socket(AF_INET, SOCK_STREAM, 0), peer;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	client_open(&c, "127.0.0.1", ntohs(at.sin_port), NULL);
	waiter_init(&w, MQ_API_HEARTBEAT, 1, &request);
	mq_link_start(c.link, &w.call);
	peer = accept(fd, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	raw_read_frame(peer, frame, sizeof(frame));
	raw_send(peer, answer, size);
	ck_assert_int_eq(waiter_wait(&w), expected);
	waiter_deinit(&w);
	client_close(&c);
	close(peer);
	close(fd);
}

START_TEST(responses_that_do_not_fit_take_the_link_down)
{
	static const char wrong_id[] = "\0\0\0\x0a\0\0\0\x09\0\0\0\0\0\0";
	static const char cut[] = "\0\0\0\x05\0\0\0\0\0";
	static const char no_id[] = "\0\0\0\x02\0\0";
	static const char huge[] = "\x7f\xff\xff\xff";
	static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

	impostor(wrong_id, sizeof(wrong_id) - 1, MQ_E_PROTOCOL);
	impostor(cut, sizeof(cut) - 1, MQ_E_PROTOCOL);
	impostor(no_id, sizeof(no_id) - 1, MQ_E_PROTOCOL);
	impostor(huge, sizeof(huge) - 1, MQ_E_PROTOCOL);
	impostor(http, sizeof(http) - 1, MQ_E_PROTOCOL);
}
END_TEST

START_TEST(calls_from_many_threads_find_their_answers)
{
	enum { N = 500 };
	static struct mq_heartbeat_request request[N];
	static struct waiter w[N];
	struct client c;

	/* This thread and the loop's own, which starts calls in done(). */
	server_begin("PLAINTEXT://127.0.0.1:0", 0);
	client_open(&c, "127.0.0.1", server_port(0), NULL);
	for (int i = 0; i < N; i++) {
		request[i] = beat("now", i);
		waiter_init(&w[i], MQ_API_HEARTBEAT, 1, &request[i]);
		w[i].call.deadline_us = mq_env_now_us(env) + LONG_US - i * 1000;
		mq_link_start(c.link, &w[i].call);
	}
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(waiter_wait(&w[i]), MQ_OK);
		ck_assert_int_eq(answer_of(&w[i]), i);
		waiter_deinit(&w[i]);
	}
	client_close(&c);
}
END_TEST

/* --- in process ---------------------------------------------------------------- */

START_TEST(in_process_a_call_is_a_call)
{
	struct mq_heartbeat_request request = beat("now", 5);
	struct mq_inproc *inproc;
	struct mq_link *link;
	mq_error error;
	struct waiter w;

	ck_assert_int_eq(mq_inproc_link_open("x", &link, &error), MQ_E_NOT_FOUND);
	ck_assert_int_eq(mq_inproc_register("x", &fake.service, &inproc, &error), MQ_OK);
	ck_assert_int_eq(mq_inproc_link_open("x", &link, &error), MQ_OK);
	waiter_init(&w, MQ_API_HEARTBEAT, 1, &request);
	mq_link_start(link, &w.call);
	ck_assert(w.done);
	ck_assert_int_eq(answer_of(&w), 5);
	ck_assert(w.call.peer->in_process);
	waiter_deinit(&w);
	mq_link_close(link);
	mq_inproc_unregister(inproc);
}
END_TEST

START_TEST(a_link_to_a_service_that_is_gone_fails_and_does_not_crash)
{
	struct mq_heartbeat_request request = beat("now", 5), slow = beat("park", 1);
	struct mq_inproc *inproc, *other;
	struct mq_link *link;
	mq_error error;
	struct waiter w;

	ck_assert_int_eq(mq_inproc_register("x", &fake.service, &inproc, &error), MQ_OK);
	ck_assert_int_eq(mq_inproc_register("x", &fake.service, &other, &error), MQ_E_EXISTS);
	ck_assert_int_eq(mq_inproc_link_to(inproc, &link, &error), MQ_OK);
	waiter_init(&w, MQ_API_HEARTBEAT, 1, &slow);
	mq_link_start(link, &w.call);
	ck_assert(mq_link_cancel(link, &w.call));
	ck_assert_int_eq(w.err, MQ_E_DISCONNECTED);
	waiter_deinit(&w);
	mq_inproc_unregister(inproc);
	waiter_init(&w, MQ_API_HEARTBEAT, 1, &request);
	mq_link_start(link, &w.call);
	ck_assert_int_eq(waiter_wait(&w), MQ_E_CLOSED);
	waiter_deinit(&w);
	mq_link_close(link);
	/* The name is free again. */
	ck_assert_int_eq(mq_inproc_register("x", &fake.service, &inproc, &error), MQ_OK);
	mq_inproc_unregister(inproc);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("link");
	TCase *t = tcase_create("link");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, calls_before_the_connection_is_up_are_sent_when_it_is);
	tcase_add_test(t, frames_of_all_sizes_come_through);
	tcase_add_test(t, small_and_big_answers_keep_their_order);
	tcase_add_test(t, a_response_outlives_its_link);
	tcase_add_test(t, produce_without_acks_has_no_response_and_keeps_the_order);
	tcase_add_loop_test(t, files_are_sent_as_they_are, 0, 3);
	tcase_add_test(t, a_refused_connection_says_so);
	tcase_add_test(t, a_name_that_does_not_exist_says_so);
	tcase_add_test(t, a_deadline_that_passes_takes_the_link_down);
	tcase_add_test(t, a_cancelled_call_ends_and_the_others_go_on);
	tcase_add_test(t, the_end_of_the_server_fails_what_is_in_flight);
	tcase_add_test(t, responses_that_do_not_fit_take_the_link_down);
	tcase_add_test(t, calls_from_many_threads_find_their_answers);
	tcase_add_test(t, in_process_a_call_is_a_call);
	tcase_add_test(t, a_link_to_a_service_that_is_gone_fails_and_does_not_crash);
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
