/* Errors: their names, kinds and texts. */
#include "base/err.h"
#include "base/err_table.h"

#include "suite.h"

#include <errno.h>
#include <string.h>

START_TEST(errors_have_kafkas_names_and_kinds)
{
	ck_assert_str_eq(mq_err_name(MQ_OK), "NONE");
	ck_assert_str_eq(mq_err_name(MQ_E_NOT_LEADER_OR_FOLLOWER), "NOT_LEADER_OR_FOLLOWER");
	ck_assert_str_eq(mq_err_name((mq_err)9999), "UNKNOWN");
	ck_assert(mq_err_retriable(MQ_E_NOT_LEADER_OR_FOLLOWER));
	ck_assert(mq_err_flags(MQ_E_NOT_LEADER_OR_FOLLOWER) & MQ_EF_M);
	ck_assert(!mq_err_retriable(MQ_E_INVALID_RECORD));
	ck_assert(!mq_err_retriable((mq_err)9999));
}
END_TEST

START_TEST(no_code_and_no_name_stands_twice_in_the_table)
{
	static const struct {
		int code;
		const char *name;
	} rows[] = {
#define MQ_ERR(name, code, flags, text) {code, #name},
	    MQ_ERR_TABLE(MQ_ERR)
#undef MQ_ERR
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_str_eq(mq_err_name((mq_err)rows[i].code), rows[i].name);
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(rows[i].name, rows[j].name);
	}
}
END_TEST

START_TEST(a_cause_is_written_down_and_cut_to_fit)
{
	char text[2 * MQ_ERROR_TEXT_MAX];
	mq_error error;

	ck_assert_int_eq(mq_fail(&error, MQ_E_ARG, "%d and %s", 4, "five"), MQ_E_ARG);
	ck_assert_int_eq(error.code, MQ_E_ARG);
	ck_assert_str_eq(error.text, "4 and five");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(mq_fail_errno(&error, ENOSPC, "%s", text), MQ_E_NOSPC);
	ck_assert_uint_eq(strlen(error.text), MQ_ERROR_TEXT_MAX - 1);
	ck_assert_int_eq(mq_fail_errno(NULL, ENOMEM, "unused"), MQ_E_NOMEM);
	mq_fail_errno(&error, ENOENT, "open");
	ck_assert_str_eq(error.text, "open: No such file or directory");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    errors_have_kafkas_names_and_kinds,
	    no_code_and_no_name_stands_twice_in_the_table,
	    a_cause_is_written_down_and_cut_to_fit,
	};

	return SUITE_RUN("err", tests);
}
