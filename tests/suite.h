/* The main() of a test program with one case: SUITE_RUN("name", tests), or
 * SUITE_RUN_WITH("name", setup, teardown, tests). */
#ifndef MQ_TESTS_SUITE_H
#define MQ_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

static inline int suite_run(const char *name, void (*setup)(void), void (*teardown)(void),
			    const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define SUITE_RUN(name, tests)                                                                     \
	suite_run(name, NULL, NULL, tests, sizeof(tests) / sizeof((tests)[0]))
#define SUITE_RUN_WITH(name, setup, teardown, tests)                                               \
	suite_run(name, setup, teardown, tests, sizeof(tests) / sizeof((tests)[0]))

#endif
