/* The producer before a scripted cluster: leaders that move, redirects without
 * end, topics that go, batches that are too large, answers that make no sense. */
#include "producer/cluster_kit.h"

#include <sys/resource.h>

/* --- leaders ---------------------------------------------------------------------- */

static mq_err leader_moves(struct fake_broker *broker, struct mq_produce_response *response,
			   struct mq_produce_response_partition *part)
{
	(void)broker;
	(void)response;
	(void)part;
	if (n_produced % 7 == 0)
		topic->leader[0] = (topic->leader[0] + 1) % 3;
	return MQ_OK;
}

START_TEST(records_follow_the_leader_and_keep_their_order)
{
	struct mq_producer *p = producer(NULL);

	meddle = leader_moves;
	for (int i = 0; i < 20; i++)
		send_values(p, i * 100, 100);
	flush(p);
	expect_once_in_order(2000);
	mq_producer_free(p);
	ck_assert_int_gt(fake.brokers[1].n_calls[MQ_API_PRODUCE], 0);
	ck_assert_int_gt(fake.brokers[2].n_calls[MQ_API_PRODUCE], 0);
}
END_TEST

/* Broker 0 has handed the partition over and names its heir; metadata does not
 * know yet. */
static mq_err names_the_heir(struct fake_broker *broker, struct mq_produce_response *response,
			     struct mq_produce_response_partition *part)
{
	static struct mq_produce_response_node_endpoint heir;

	if (broker->id == 1) {
		topic->leader[0] = 1;
		return MQ_OK;
	}
	heir = (struct mq_produce_response_node_endpoint){
	    .node_id = 1, .host = mq_str("broker1"), .port = FAKE_PORT + 1};
	response->node_endpoints = &heir;
	response->n_node_endpoints = 1;
	part->current_leader.leader_id = 1;
	part->current_leader.leader_epoch = 5;
	return MQ_E_NOT_LEADER_OR_FOLLOWER;
}

START_TEST(a_leader_that_an_answer_names_is_used_at_once)
{
	struct mq_producer *p =
	    producer("retry.backoff.ms", "4000", "retry.backoff.max.ms", "4000", NULL);
	int64_t began;

	ck_assert_int_eq(mq_producer_partitions_for(p, "t", WAIT_MS, &(int32_t){0}, NULL), MQ_OK);
	meddle = names_the_heir;
	began = mq_env_now_us(p->env);
	send_values(p, 0, 3);
	flush(p);
	expect_once_in_order(3);
	ck_assert_int_lt(mq_env_now_us(p->env) - began, 2000000);
	mq_producer_free(p);
}
END_TEST

/* Everybody names somebody else, in ever newer epochs. */
static mq_err names_another(struct fake_broker *broker, struct mq_produce_response *response,
			    struct mq_produce_response_partition *part)
{
	static struct mq_produce_response_node_endpoint other;
	static int32_t epoch;
	int32_t id = (broker->id + 1) % 3;
	static char host[16];

	snprintf(host, sizeof(host), "broker%d", id);
	other = (struct mq_produce_response_node_endpoint){
	    .node_id = id, .host = mq_str(host), .port = FAKE_PORT + id};
	response->node_endpoints = &other;
	response->n_node_endpoints = 1;
	part->current_leader.leader_id = id;
	part->current_leader.leader_epoch = ++epoch;
	topic->leader[0] = id;
	return MQ_E_NOT_LEADER_OR_FOLLOWER;
}

START_TEST(endless_redirects_end_with_an_error)
{
	struct mq_producer *p =
	    producer("request.timeout.ms", "200", "delivery.timeout.ms", "600", NULL);

	send_values(p, 0, 1);
	flush(p);
	ck_assert_int_eq(ok, 1);
	n_produced = n_asked = 0;
	meddle = names_another;
	send_values(p, 1, 1);
	flush(p);
	ck_assert_int_eq(failed, 1);
	ck_assert_int_eq(last_err, MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(last_text, "NOT_LEADER_OR_FOLLOWER") != NULL, "%s", last_text);
	mq_producer_free(p);
	/* Backing off, not spinning. */
	ck_assert_int_lt(n_produced, 120);
	ck_assert_int_lt(n_asked, 120);
}
END_TEST

/* Also where each batch is sent at once, and nothing is left when it has been. */
START_TEST(metadata_gets_no_older_than_it_may)
{
	struct mq_producer *p = producer("metadata.max.age.ms", "20", "linger.ms", "0", NULL);
	int64_t deadline_us = mq_env_now_us(p->env) + (int64_t)WAIT_MS * 1000;
	int n = 0, asked;

	send_values(p, n++, 1);
	flush(p);
	asked = n_asked;
	while (n_asked == asked && n < VALUES_MAX && mq_env_now_us(p->env) < deadline_us) {
		send_values(p, n++, 1);
		flush(p);
	}
	mq_producer_free(p);
	ck_assert_int_gt(n_asked, asked);
}
END_TEST

#define STRANGERS 500

/* Metadata that names other brokers each time, one of which is the leader. */
static bool names_strangers(struct mq_call *call)
{
	struct mq_metadata_response *r = fake_response(call);
	static int32_t next = 100;

	call->response = r;
	r->brokers = fake_array(call, mq_metadata_response_broker, STRANGERS);
	r->n_brokers = STRANGERS;
	for (int i = 0; i < STRANGERS; i++) {
		r->brokers[i].node_id = next++;
		r->brokers[i].host = mq_str("stranger");
		r->brokers[i].port = 1;
	}
	r->topics = fake_array(call, mq_metadata_response_topic, 1);
	r->n_topics = 1;
	r->topics[0].name = mq_str("t");
	r->topics[0].partitions = fake_array(call, mq_metadata_response_partition, STRANGERS);
	r->topics[0].n_partitions = STRANGERS;
	for (int i = 0; i < STRANGERS; i++) {
		r->topics[0].partitions[i].partition_index = i;
		r->topics[0].partitions[i].leader_id = r->brokers[i].node_id;
	}
	return true;
}

START_TEST(metadata_that_always_points_elsewhere_ends_with_an_error_in_bounded_memory)
{
	struct mq_producer *p =
	    producer("request.timeout.ms", "200", "delivery.timeout.ms", "2000", NULL);
	struct mq_list *it;
	int n_brokers = 0;

	meddle_metadata = names_strangers;
	send_values(p, 0, 1);
	flush(p);
	ck_assert_int_eq(failed, 1);
	ck_assert_int_eq(last_err, MQ_E_TIMED_OUT);
	ck_assert_int_eq(mq_producer_close(p, WAIT_MS, NULL, NULL), MQ_OK);
	ck_assert_int_gt(n_asked, 5);
	mq_list_each (it, &p->acc.brokers)
		n_brokers++;
	ck_assert_int_le(n_brokers, STRANGERS);
	mq_producer_free(p);
}
END_TEST

/* --- topics that go ------------------------------------------------------------------ */

static mq_err topic_is_gone(struct fake_broker *broker, struct mq_produce_response *response,
			    struct mq_produce_response_partition *part)
{
	(void)broker;
	(void)response;
	(void)part;
	return topic->err;
}

START_TEST(records_of_a_deleted_topic_fail_and_say_so)
{
	struct mq_producer *p =
	    producer("request.timeout.ms", "200", "delivery.timeout.ms", "2000", NULL);

	meddle = topic_is_gone;
	send_values(p, 0, 10);
	flush(p);
	ck_assert_int_eq(ok, 10);
	topic->err = MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
	send_values(p, 10, 10);
	flush(p);
	ck_assert_int_eq(failed, 10);
	ck_assert_msg(strstr(last_text, "t-0") && strstr(last_text, "UNKNOWN_TOPIC_OR_PARTITION"),
		      "%s", last_text);
	/* Made anew, with a log of its own. */
	memset(logs, 0, sizeof(logs));
	topic->err = MQ_OK;
	send_values(p, 20, 10);
	flush(p);
	ck_assert_msg(ok == 20, "%s", last_text);
	ck_assert_int_eq(logs[0].n, 10);
	mq_producer_free(p);
}
END_TEST

START_TEST(what_is_not_allowed_fails_at_once)
{
	struct mq_producer *p = producer(NULL);

	meddle = topic_is_gone;
	send_values(p, 0, 1);
	flush(p);
	topic->err = MQ_E_TOPIC_AUTHORIZATION_FAILED;
	send_values(p, 1, 10);
	flush(p);
	ck_assert_int_eq(failed, 10);
	ck_assert_int_eq(last_err, MQ_E_TOPIC_AUTHORIZATION_FAILED);
	mq_producer_free(p);
}
END_TEST

/* --- batches that are too large ------------------------------------------------------- */

START_TEST(a_batch_that_is_too_large_is_split)
{
	static const char *const codecs[] = {"none", "gzip"};

	for (int c = 0; c < 2; c++) {
		struct mq_producer *p = producer("batch.size", "100000", "linger.ms", "20",
						 "compression.type", codecs[c], NULL);

		setup();
		send_values(p, 0, 1);
		flush(p);
		largest = 400;
		for (int i = 0; i < 5; i++)
			send_values(p, 1 + i * 500, 500);
		flush(p);
		ck_assert_int_gt(n_too_large, 5);
		expect_once_in_order(2501);
		mq_producer_free(p);
		teardown();
	}
	setup();
}
END_TEST

START_TEST(without_idempotence_batches_are_split_too)
{
	struct mq_producer *p = producer("batch.size", "100000", "linger.ms", "20", "acks", "1",
					 "max.in.flight.requests.per.connection", "1", NULL);

	largest = 500;
	send_values(p, 0, 1000);
	flush(p);
	ck_assert_int_gt(n_too_large, 0);
	expect_once_in_order(1000);
	mq_producer_free(p);
}
END_TEST

START_TEST(a_single_record_that_is_too_large_for_the_broker_fails)
{
	struct mq_producer *p = producer(NULL);

	largest = 10;
	send_values(p, 0, 5);
	flush(p);
	ck_assert_int_eq(failed, 5);
	ck_assert_int_eq(last_err, MQ_E_MESSAGE_TOO_LARGE);
	largest = 0;
	send_values(p, 5, 5);
	flush(p);
	ck_assert_int_eq(ok, 5);
	ck_assert_int_eq(logs[0].n, 5);
	mq_producer_free(p);
}
END_TEST

/* --- waiting ------------------------------------------------------------------------- */

static mq_err is_busy(struct fake_broker *broker, struct mq_produce_response *response,
		      struct mq_produce_response_partition *part)
{
	(void)broker;
	(void)response;
	(void)part;
	return MQ_E_REQUEST_TIMED_OUT;
}

static struct fake_topic *late;
static int64_t late_until_us;
static struct mq_producer *late_asker;

/* The topic is there a second after it was asked for. */
static bool topic_comes_late(struct mq_call *call)
{
	const struct mq_metadata_request *request = call->request;
	int64_t now_us = mq_env_now_us(late_asker->env);

	for (int32_t i = 0; i < request->n_topics; i++)
		if (mq_bytes_eq(request->topics[i].name, mq_str(late->name)))
			late_until_us = MQ_MIN(late_until_us, now_us + 1000000);
	if (now_us >= late_until_us)
		late->err = MQ_OK;
	return false;
}

START_TEST(waiting_for_metadata_and_for_memory_together_takes_max_block_ms)
{
	struct mq_producer *p;
	int64_t began_us, took_us;
	mq_error error;

	meddle = is_busy;
	late = fake_add_topic(&fake, "u", 1);
	late->err = MQ_E_LEADER_NOT_AVAILABLE;
	late_until_us = INT64_MAX;
	p = late_asker = producer("max.block.ms", "1500", "buffer.memory", "600", NULL);
	meddle_metadata = topic_comes_late;
	send_values(p, 0, 1);
	began_us = mq_env_now_us(p->env);
	ck_assert_int_eq(mq_producer_send(p, &(mq_record){.topic = "u"}, sent, NULL, &error),
			 MQ_E_FULL);
	took_us = mq_env_now_us(p->env) - began_us;
	ck_assert_int_ge(took_us, 1500000);
	/* With a time for each it would be over 2500. */
	ck_assert_int_lt(took_us, 2400000);
	mq_producer_free(p);
}
END_TEST

/* --- answers that make no sense ---------------------------------------------------------- */

static mq_err answers_for_another(struct fake_broker *broker, struct mq_produce_response *response,
				  struct mq_produce_response_partition *part)
{
	(void)broker;
	(void)response;
	if (n_produced % 2) {
		part->index = 77;
		return MQ_E_REQUEST_TIMED_OUT;
	}
	return MQ_OK;
}

START_TEST(an_answer_that_leaves_a_batch_out_is_no_answer)
{
	struct mq_producer *p = producer(NULL);

	meddle = answers_for_another;
	for (int i = 0; i < 10; i++) {
		send_values(p, i, 1);
		flush(p);
	}
	expect_once_in_order(10);
	mq_producer_free(p);
}
END_TEST

static mq_err answers_nonsense(struct fake_broker *broker, struct mq_produce_response *response,
			       struct mq_produce_response_partition *part)
{
	(void)broker;
	(void)response;
	(void)part;
	return (mq_err)12345;
}

START_TEST(an_error_that_nobody_knows_is_told)
{
	struct mq_producer *p = producer(NULL);

	meddle = answers_nonsense;
	send_values(p, 0, 2);
	flush(p);
	ck_assert_int_eq(failed, 2);
	ck_assert_msg(strstr(last_text, "t-0") != NULL, "%s", last_text);
	mq_producer_free(p);
}
END_TEST

/* --- in process --------------------------------------------------------------------------- */

/* A broker of this process that never answers Produce. */
static struct mq_mutex held_lock = MQ_MUTEX_INITIALIZER;
static struct mq_list held = {&held, &held};
static int n_held;

static void hold(struct mq_service *service, struct mq_call *call)
{
	(void)service;
	if (call->api_key != MQ_API_PRODUCE) {
		fake.brokers[0].service.handle(&fake.brokers[0].service, call);
		return;
	}
	mq_mutex_lock(&held_lock);
	n_held++;
	mq_list_push(&held, &call->node);
	mq_mutex_unlock(&held_lock);
}

static bool let_go(struct mq_service *service, struct mq_call *call)
{
	(void)service;
	mq_mutex_lock(&held_lock);
	mq_list_remove(&call->node);
	mq_mutex_unlock(&held_lock);
	call->done(call, MQ_E_DISCONNECTED);
	return true;
}

START_TEST(a_broker_of_the_process_that_does_not_answer_is_given_up)
{
	struct mq_service service = {.handle = hold, .cancel = let_go};
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	struct mq_inproc *inproc;
	struct mq_producer *p;
	int64_t began;
	mq_error error;

	ck_assert_int_eq(mq_inproc_register("held", &service, &inproc, &error), MQ_OK);
	ck_assert_int_eq(mq_conf_set(conf, "bootstrap.servers", "inproc://held", &error), MQ_OK);
	ck_assert_int_eq(mq_conf_set(conf, "request.timeout.ms", "150", &error), MQ_OK);
	ck_assert_int_eq(mq_conf_set(conf, "delivery.timeout.ms", "600", &error), MQ_OK);
	ck_assert_int_eq(mq_conf_set(conf, "retry.backoff.ms", "5", &error), MQ_OK);
	ck_assert_int_eq(mq_conf_set(conf, "retry.backoff.max.ms", "5", &error), MQ_OK);
	ck_assert_msg(mq_prod_new(&p, conf, NULL, &error) == MQ_OK, "%s", error.text);
	mq_conf_free(conf);
	began = mq_env_now_us(p->env);
	send_values(p, 0, 3);
	flush(p);
	ck_assert_int_lt(mq_env_now_us(p->env) - began, 5000000);
	ck_assert_int_eq(failed, 3);
	ck_assert_int_eq(last_err, MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(last_text, "has not answered") != NULL, "%s", last_text);
	/* Asked again, since each call had its own deadline. */
	ck_assert_int_ge(n_held, 2);
	mq_producer_free(p);
	ck_assert(mq_list_empty(&held));
	mq_inproc_unregister(inproc);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    records_follow_the_leader_and_keep_their_order,
	    a_leader_that_an_answer_names_is_used_at_once,
	    endless_redirects_end_with_an_error,
	    metadata_gets_no_older_than_it_may,
	    metadata_that_always_points_elsewhere_ends_with_an_error_in_bounded_memory,
	    records_of_a_deleted_topic_fail_and_say_so,
	    what_is_not_allowed_fails_at_once,
	    a_batch_that_is_too_large_is_split,
	    without_idempotence_batches_are_split_too,
	    a_single_record_that_is_too_large_for_the_broker_fails,
	    waiting_for_metadata_and_for_memory_together_takes_max_block_ms,
	    an_answer_that_leaves_a_batch_out_is_no_answer,
	    an_error_that_nobody_knows_is_told,
	    a_broker_of_the_process_that_does_not_answer_is_given_up,
	};

	return SUITE_RUN_WITH("producer, cluster", setup, teardown, tests);
}
