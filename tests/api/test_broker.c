/* <mq/broker.h>: brokers in this process. */
#include <check.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <mq/broker.h>

#include "env/env.h"
#include "net/link.h"
#include "protocol/messages.h"
#include "protocol/api.h"
#include "protocol/wire.h"
#include "temp.h"

static char dir[256];
static mq_conf *conf;
static mq_broker *broker;
static mq_error error;

static void set(const char *key, const char *value)
{
	ck_assert_msg(mq_conf_set(conf, key, value, &error) == MQ_OK, "%s", error.text);
}

static void setup(void)
{
	temp_dir_make(dir, sizeof(dir));
	conf = mq_conf_new(MQ_ROLE_BROKER);
	ck_assert_ptr_nonnull(conf);
	set("log.dirs", dir);
	broker = NULL;
}

static void teardown(void)
{
	mq_broker_free(broker);
	mq_conf_free(conf);
	temp_dir_remove(dir);
}

static void start(void)
{
	broker = mq_broker_start(conf, &error);
	ck_assert_msg(broker != NULL, "%s", error.text);
}

static void refused(mq_err code, const char *said)
{
	mq_broker *other = mq_broker_start(conf, &error);

	ck_assert_ptr_null(other);
	ck_assert_int_eq(error.code, code);
	ck_assert_msg(strstr(error.text, said), "%s", error.text);
}

/* --- calls in process ------------------------------------------------------------- */

struct result {
	bool done;
	mq_err err;
};

static void on_done(struct mq_call *call, mq_err err)
{
	struct result *result = call->done_arg;

	result->done = true;
	result->err = err;
}

static struct mq_api_versions_request versions;

static void call_init(struct mq_call *call, struct result *result)
{
	mq_set_defaults(mq_api_versions_request, &versions);
	versions.client_software_name = versions.client_software_version = mq_str("test");
	memset(call, 0, sizeof(*call));
	mq_arena_init(&call->arena, 0);
	mq_list_init(&call->node);
	call->api_key = MQ_API_API_VERSIONS;
	call->api_version = 3;
	call->request = &versions;
	call->done = on_done;
	call->done_arg = result;
}

START_TEST(an_embedded_broker_opens_no_socket_and_answers_in_process)
{
	struct result result = {0};
	struct mq_link *link;
	struct mq_call call;

	set("mq.inproc.name", "main");
	start();
	ck_assert_int_eq(mq_broker_endpoint_count(broker), 0);
	ck_assert_int_eq(mq_broker_port(broker, NULL), -1);
	ck_assert_int_eq(mq_inproc_link_open("main", &link, &error), MQ_OK);
	call_init(&call, &result);
	mq_link_start(link, &call);
	ck_assert(result.done);
	ck_assert_int_eq(result.err, MQ_OK);
	ck_assert_int_gt(((struct mq_api_versions_response *)call.response)->n_api_keys, 10);
	mq_call_release(&call);
	/* A stopped broker refuses with an error; nothing crashes. */
	ck_assert_int_eq(mq_broker_stop(broker, 5000, &error), MQ_OK);
	memset(&result, 0, sizeof(result));
	call_init(&call, &result);
	mq_link_start(link, &call);
	ck_assert(result.done);
	ck_assert_int_eq(result.err, MQ_E_CLOSED);
	mq_call_release(&call);
	mq_link_close(link);
}
END_TEST

START_TEST(a_listening_broker_tells_where)
{
	mq_broker_endpoint at;

	set("listeners", "PLAINTEXT://127.0.0.1:0,OUTER://127.0.0.1:0");
	set("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,OUTER:PLAINTEXT");
	set("advertised.listeners", "OUTER://example.org:4711");
	start();
	ck_assert_int_eq(mq_broker_endpoint_count(broker), 2);
	ck_assert_int_gt(mq_broker_port(broker, NULL), 0);
	ck_assert_int_eq(mq_broker_port(broker, "PLAINTEXT"), mq_broker_port(broker, NULL));
	ck_assert_int_ne(mq_broker_port(broker, "OUTER"), mq_broker_port(broker, NULL));
	ck_assert_int_eq(mq_broker_port(broker, "NOBODY"), -1);
	ck_assert_int_eq(mq_broker_endpoint_get(broker, 1, &at), MQ_OK);
	ck_assert_str_eq(at.listener, "OUTER");
	ck_assert_str_eq(at.host, "127.0.0.1");
	ck_assert_str_eq(at.advertised_host, "example.org");
	ck_assert_int_eq(at.advertised_port, 4711);
	ck_assert_int_eq(mq_broker_endpoint_get(broker, 2, &at), MQ_E_NOT_FOUND);
}
END_TEST

START_TEST(a_file_without_listeners_means_kafkas_default)
{
	char path[300], dirs[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/server.properties", dir);
	snprintf(dirs, sizeof(dirs), "%s/data", dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "broker.id=1\nlog.dirs=%s\n", dirs);
	fclose(f);
	mq_conf_free(conf);
	conf = mq_conf_new(MQ_ROLE_BROKER);
	ck_assert_msg(mq_conf_load(conf, path, &error) == MQ_OK, "%s", error.text);
	broker = mq_broker_start(conf, &error);
	/* The port may be in use on this machine; then the error tells which. */
	if (broker)
		ck_assert_int_eq(mq_broker_port(broker, "PLAINTEXT"), 9092);
	else
		ck_assert_msg(strstr(error.text, "9092"), "%s", error.text);
	mq_broker_free(broker);
	/* Present and empty: no socket. */
	set("listeners", "");
	start();
	ck_assert_int_eq(mq_broker_endpoint_count(broker), 0);
}
END_TEST

START_TEST(several_brokers_live_in_one_process)
{
	char other_dir[256];
	mq_broker *other;

	temp_dir_make(other_dir, sizeof(other_dir));
	set("listeners", "PLAINTEXT://127.0.0.1:0");
	set("mq.inproc.name", "a");
	start();
	set("log.dirs", other_dir);
	refused(MQ_E_EXISTS, "mq.inproc.name");
	set("mq.inproc.name", "b");
	other = mq_broker_start(conf, &error);
	ck_assert_msg(other != NULL, "%s", error.text);
	ck_assert_int_ne(mq_broker_port(broker, NULL), mq_broker_port(other, NULL));
	mq_broker_free(other);
	temp_dir_remove(other_dir);
}
END_TEST

START_TEST(what_cannot_start_says_why)
{
	char listeners[64];

	set("listeners", "PLAINTEXT://127.0.0.1:0");
	start();
	refused(MQ_E_LOCKED, dir);
	snprintf(listeners, sizeof(listeners), "PLAINTEXT://127.0.0.1:%d",
		 mq_broker_port(broker, NULL));
	set("listeners", listeners);
	refused(MQ_E_SYSTEM, listeners + strlen("PLAINTEXT://"));
	set("listeners", "SASL_PLAINTEXT://127.0.0.1:0");
	refused(MQ_E_UNSUPPORTED, "SASL");
	set("listeners", "SSL://127.0.0.1:0");
	refused(MQ_E_CONFIG, "ssl.keystore");
	set("zookeeper.connect", "localhost:2181");
	refused(MQ_E_UNSUPPORTED, "zookeeper.connect");
	mq_conf_free(conf);
	conf = mq_conf_new(MQ_ROLE_PRODUCER);
	if (conf)
		refused(MQ_E_ARG, "not for a broker");
}
END_TEST

START_TEST(a_data_directory_is_used_again)
{
	for (int i = 0; i < 3; i++) {
		start();
		ck_assert_int_eq(mq_broker_stop(broker, 5000, &error), MQ_OK);
		ck_assert_int_eq(mq_broker_stop(broker, 5000, &error), MQ_OK);
		mq_broker_free(broker);
		broker = NULL;
	}
}
END_TEST

START_TEST(node_id_is_another_name_of_broker_id)
{
	char path[300], line[100];
	bool found = false;
	FILE *f;

	set("node.id", "7");
	start();
	snprintf(path, sizeof(path), "%s/meta.properties", dir);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		found |= strcmp(line, "broker.id=7\n") == 0;
	fclose(f);
	ck_assert(found);
	mq_broker_free(broker);
	broker = NULL;
	set("broker.id", "8");
	refused(MQ_E_CONFIG, "broker.id is 8 and node.id 7");
	set("broker.id", "7");
	start();
}
END_TEST

START_TEST(the_lock_file_names_the_process)
{
	char path[300];
	long pid = 0;
	FILE *f;

	start();
	snprintf(path, sizeof(path), "%s/.lock", dir);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%ld", &pid), 1);
	fclose(f);
	ck_assert_int_eq(pid, getpid());
}
END_TEST

START_TEST(a_forked_child_leaves_the_broker_alone)
{
	int status;
	pid_t child;

	start();
	child = fork();
	if (child == 0) {
		mq_error why;
		bool ok = mq_broker_stop(broker, 100, &why) == MQ_E_FORKED;

		mq_broker_free(broker);
		_exit(ok ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_int_eq(mq_broker_stop(broker, 5000, &error), MQ_OK);
}
END_TEST

START_TEST(null_is_an_argument_error_or_nothing)
{
	mq_broker_free(NULL);
	ck_assert_int_eq(mq_broker_stop(NULL, 0, &error), MQ_E_ARG);
	ck_assert_int_eq(mq_broker_endpoint_count(NULL), 0);
	ck_assert_int_eq(mq_broker_port(NULL, NULL), -1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("broker");
	TCase *t = tcase_create("broker");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_embedded_broker_opens_no_socket_and_answers_in_process);
	tcase_add_test(t, a_listening_broker_tells_where);
	tcase_add_test(t, a_file_without_listeners_means_kafkas_default);
	tcase_add_test(t, several_brokers_live_in_one_process);
	tcase_add_test(t, what_cannot_start_says_why);
	tcase_add_test(t, a_data_directory_is_used_again);
	tcase_add_test(t, node_id_is_another_name_of_broker_id);
	tcase_add_test(t, the_lock_file_names_the_process);
	tcase_add_test(t, a_forked_child_leaves_the_broker_alone);
	tcase_add_test(t, null_is_an_argument_error_or_nothing);
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
