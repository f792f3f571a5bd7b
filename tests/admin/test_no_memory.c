/* Each allocation of a few calls fails once: the call fails or succeeds, and
 * the next one works. */
#include <check.h>
#include <stdlib.h>

#include "admin/admin.h"
#include "base/malloc_hook.h"
#include "base/mem.h"
#include "client/fake.h"

#define TIMEOUT_MS 2000

static struct fake fake;

static bool answer_offsets(struct fake_broker *broker, struct mq_call *call)
{
	const struct mq_list_offsets_request *request = call->request;
	struct mq_list_offsets_response *r;

	(void)broker;
	if (call->api_key != MQ_API_LIST_OFFSETS)
		return false;
	r = fake_response(call);
	if (!r)
		return true;
	r->topics = fake_array(call, mq_list_offsets_response_topic, 1);
	if (!r->topics)
		return true;
	r->n_topics = 1;
	r->topics[0].name = request->topics[0].name;
	r->topics[0].partitions = fake_array(call, mq_list_offsets_response_partition, 1);
	if (!r->topics[0].partitions)
		return true;
	r->topics[0].n_partitions = 1;
	r->topics[0].partitions[0].partition_index = 1;
	call->response = r;
	return true;
}

/* Everything from making the client on. */
static mq_err calls(const mq_conf *conf, mq_error *error)
{
	const mq_partition_at part = {"t", 1, MQ_OFFSET_LATEST};
	const char *const names[] = {"t", "none"};
	const mq_topic_infos *topics = NULL;
	const mq_offset_infos *offsets = NULL;
	const mq_api_infos *apis = NULL;
	struct mq_admin *admin = NULL;
	mq_err err = mq_adm_new(&admin, conf, &fake.dialer, error);

	if (err == MQ_OK)
		err = mq_adm_describe_topics(admin, names, 2, false, TIMEOUT_MS, &topics, error);
	if (err == MQ_OK)
		err = mq_adm_list_offsets(admin, &part, 1, false, TIMEOUT_MS, &offsets, error);
	if (err == MQ_OK)
		err = mq_adm_api_versions(admin, 1, TIMEOUT_MS, &apis, error);
	mq_result_free(topics);
	mq_result_free(offsets);
	mq_result_free(apis);
	mq_adm_free(admin);
	return err;
}

START_TEST(any_failed_allocation_is_survived)
{
	mq_conf *conf = fake_conf("broker0:9000", NULL);
	unsigned n, n_errors = 0;
	bool failed = true;
	mq_error error;
	mq_err err;

	fake_init(&fake, 2);
	fake_add_topic(&fake, "t", 2);
	fake.on_call = answer_offsets;
	for (n = 1; failed; n++) {
		malloc_hook_fail(n);
		err = calls(conf, &error);
		failed = malloc_hook_failed();
		n_errors += err != MQ_OK;
		ck_assert_msg(failed || err == MQ_OK, "%s", error.text);
		ck_assert_msg(err == MQ_OK || err == MQ_E_NOMEM || mq_err_retriable(err),
			      "allocation %u: %s", n, error.text);
	}
	ck_assert_uint_gt(n_errors, 20);
	fake_deinit(&fake);
	mq_conf_free(conf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admin without memory");
	TCase *tc = tcase_create("memory");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, any_failed_allocation_is_survived);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
