/* Sequences, epochs and transactions of producers. */
#include "log_kit.h"

static struct mq_append a;

START_TEST(sequences_must_follow_each_other)
{
	ck_assert_int_eq(kit_produce(7, 0, 0, 3, false, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(7, 0, 3, 2, false, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(7, 0, 6, 1, false, &a), MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(kit_produce(7, 0, 4, 1, false, &a), MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(kit_produce(7, 0, 5, 1, false, &a), MQ_OK);
	ck_assert_int_eq(kit_end(), 6);
}
END_TEST

START_TEST(an_unknown_producer_may_begin_anywhere)
{
	ck_assert_int_eq(kit_produce(7, 3, 1000, 3, false, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(7, 3, 1003, 1, false, &a), MQ_OK);
}
END_TEST

START_TEST(sequences_wrap)
{
	ck_assert_int_eq(kit_produce(7, 0, INT32_MAX - 1, 2, false, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(7, 0, 0, 4, false, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(7, 0, 4, 1, false, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(8, 0, INT32_MAX, 2, false, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(8, 0, 1, 1, false, &a), MQ_OK);
}
END_TEST

START_TEST(the_last_five_batches_are_known_again)
{
	for (int i = 0; i < 7; i++)
		ck_assert_int_eq(kit_produce(7, 0, 2 * i, 2, false, &a), MQ_OK);
	for (int i = 2; i < 7; i++) {
		ck_assert_int_eq(kit_produce(7, 0, 2 * i, 2, false, &a), MQ_OK);
		ck_assert(a.duplicate);
		ck_assert_int_eq(a.base_offset, 2 * i);
		ck_assert_int_eq(a.last_offset, 2 * i + 1);
	}
	ck_assert_int_eq(kit_produce(7, 0, 2, 2, false, &a), MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(kit_produce(7, 0, 12, 1, false, &a), MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(kit_end(), 14);
}
END_TEST

START_TEST(epochs_fence_and_reset_sequences)
{
	ck_assert_int_eq(kit_produce(7, 1, 0, 1, false, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(7, 0, 1, 1, false, &a), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(kit_produce(7, 2, 1, 1, false, &a), MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(kit_produce(7, 2, 0, 1, false, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(7, 1, 1, 1, false, &a), MQ_E_INVALID_PRODUCER_EPOCH);
}
END_TEST

START_TEST(a_repetition_of_a_queued_batch_shares_its_fate)
{
	struct mq_append first, again;
	struct kit_batch b = kit_batch(2, KIT_NOW, 10);
	struct mq_list done;
	bool write = false;

	b.spec.producer_id = 7;
	b.spec.producer_epoch = 0;
	b.spec.base_sequence = 0;
	kit_build(&b);
	first = again = (struct mq_append){.data = b.data, .size = b.size, .now_ms = KIT_NOW};
	ck_assert_int_eq(mq_log_append(kit.log, &first, &write), MQ_OK);
	ck_assert(write);
	ck_assert_int_eq(mq_log_append(kit.log, &again, &write), MQ_OK);
	ck_assert(!again.duplicate);
	ck_assert_int_eq(again.base_offset, 0);
	ck_assert_int_eq(again.last_offset, 1);
	mq_list_init(&done);
	kit_write_to(&done);
	ck_assert_ptr_eq(done.next, &first.node);
	ck_assert_ptr_eq(done.prev, &again.node);
	ck_assert_int_eq(again.err, MQ_OK);
	ck_assert_int_eq(kit_end(), 2);
	free(b.data);
}
END_TEST

START_TEST(windows_survive_a_clean_stop)
{
	for (int i = 0; i < 7; i++) {
		ck_assert_int_eq(kit_produce(7, 0, 2 * i, 2, false, &a), MQ_OK);
		ck_assert_int_eq(kit_produce(8, 0, i, 1, false, &a), MQ_OK);
	}
	kit_reopen();
	for (int i = 2; i < 7; i++) {
		ck_assert_int_eq(kit_produce(7, 0, 2 * i, 2, false, &a), MQ_OK);
		ck_assert(a.duplicate);
		ck_assert_int_eq(a.base_offset, 3 * i);
		ck_assert_int_eq(kit_produce(8, 0, i, 1, false, &a), MQ_OK);
		ck_assert(a.duplicate);
	}
	ck_assert_int_eq(kit_produce(7, 0, 14, 1, false, &a), MQ_OK);
	ck_assert(!a.duplicate);
}
END_TEST

START_TEST(windows_survive_a_crash)
{
	kit.conf.segment_bytes = 1000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(kit_produce(7, 0, i, 1, false, &a), MQ_OK);
	kit_crash();
	for (int i = 35; i < 40; i++) {
		ck_assert_int_eq(kit_produce(7, 0, i, 1, false, &a), MQ_OK);
		ck_assert(a.duplicate);
		ck_assert_int_eq(a.base_offset, i);
	}
	ck_assert_int_eq(kit_produce(7, 0, 41, 1, false, &a), MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(kit_produce(7, 0, 40, 1, false, &a), MQ_OK);
}
END_TEST

START_TEST(the_snapshot_has_kafkas_bytes)
{
	char *hex;

	ck_assert_int_eq(kit_produce(0x102, 5, 16, 3, false, &a), MQ_OK);
	kit_close(true);
	hex = kit_hex(kit_path(3, MQ_SEGMENT_SNAPSHOT));
	ck_assert_uint_eq(strlen(hex), 2 * 56);
	memset(hex + 4, '_', 8); /* the sum, checked when it is loaded */
	ck_assert_str_eq(hex, "0001"
			      "________"
			      "00000001"
			      "0000000000000102"
			      "0005"
			      "00000012"
			      "0000000000000002"
			      "00000002"
			      "0000018bcfe56802"
			      "ffffffff"
			      "ffffffffffffffff");
	free(hex);
}
END_TEST

START_TEST(silent_producers_are_forgotten)
{
	struct mq_producer_info *all;
	int32_t n;

	ck_assert_int_eq(kit_produce(7, 0, 5, 1, false, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(8, 0, 5, 1, true, &a), MQ_OK);
	mq_log_expire_producers(kit.log, KIT_NOW + kit.conf.producer_id_expiration_ms - 1);
	ck_assert_int_eq(mq_log_producers(kit.log, &all, &n), MQ_OK);
	ck_assert_int_eq(n, 2);
	free(all);
	mq_log_expire_producers(kit.log, KIT_NOW + kit.conf.producer_id_expiration_ms);
	ck_assert_int_eq(mq_log_producers(kit.log, &all, &n), MQ_OK);
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(all[0].producer_id, 8);
	ck_assert_int_eq(all[0].last_sequence, 5);
	ck_assert_int_eq(all[0].txn_start_offset, 1);
	free(all);
}
END_TEST

static int64_t unstable(void)
{
	struct mq_log_marks marks;

	mq_log_marks(kit.log, &marks);
	return marks.first_unstable;
}

START_TEST(a_transaction_is_open_until_its_marker)
{
	ck_assert_int_eq(kit_produce(7, 0, 0, 2, true, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(8, 0, 0, 1, true, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(7, 0, 2, 1, true, &a), MQ_OK);
	ck_assert_int_eq(unstable(), 0);
	ck_assert_int_eq(kit_produce(7, 0, 3, 1, false, &a), MQ_E_INVALID_TXN_STATE);
	ck_assert_int_eq(kit_end_txn(7, 0, true, 0, &a), MQ_OK);
	ck_assert_int_eq(a.base_offset, 4);
	ck_assert_int_eq(unstable(), 2);
	ck_assert_int_eq(kit_end_txn(8, 0, false, 0, &a), MQ_OK);
	ck_assert_int_eq(unstable(), -1);
	ck_assert_int_eq(kit_produce(7, 0, 3, 1, false, &a), MQ_OK);
}
END_TEST

START_TEST(the_stable_offset_waits_for_the_watermark)
{
	ck_assert_int_eq(kit_produce(7, 0, 0, 2, true, &a), MQ_OK);
	ck_assert_int_eq(mq_log_stable_offset(kit.log, 1), 0);
	ck_assert_int_eq(kit_end_txn(7, 0, true, 0, &a), MQ_OK);
	ck_assert_int_eq(mq_log_stable_offset(kit.log, 2), 0);
	ck_assert_int_eq(mq_log_stable_offset(kit.log, 3), 3);
}
END_TEST

START_TEST(an_old_coordinator_is_fenced)
{
	ck_assert_int_eq(kit_produce(7, 0, 0, 2, true, &a), MQ_OK);
	ck_assert_int_eq(kit_end_txn(7, 0, true, 5, &a), MQ_OK);
	ck_assert_int_eq(kit_end_txn(7, 0, true, 4, &a), MQ_E_TRANSACTION_COORDINATOR_FENCED);
	ck_assert_int_eq(kit_end_txn(7, 1, true, 5, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(7, 0, 2, 2, true, &a), MQ_E_INVALID_PRODUCER_EPOCH);
}
END_TEST

START_TEST(clients_may_not_write_markers)
{
	struct mq_control_marker marker = {.type = MQ_CONTROL_COMMIT, .producer_id = 7};
	struct kit_batch b = {.data = malloc(MQ_CONTROL_BATCH_SIZE), .size = MQ_CONTROL_BATCH_SIZE};

	mq_control_build(b.data, &marker);
	ck_assert_int_eq(kit_append_as(&b, MQ_APPEND_CLIENT, 0, &a), MQ_E_INVALID_RECORD);
}
END_TEST

static void check_aborted(int64_t from, int64_t to, int n_expected, int64_t first_offset)
{
	struct mq_aborted *all;
	int32_t n;

	ck_assert_int_eq(mq_log_aborted(kit.log, from, to, &all, &n), MQ_OK);
	ck_assert_int_eq(n, n_expected);
	if (n)
		ck_assert_int_eq(all[0].first_offset, first_offset);
	free(all);
}

START_TEST(aborted_transactions_are_found)
{
	char *hex;

	/* 0-1 and marker 3 of 7; 2 and marker 4 of 8 commits; 5 and marker 6 of 7. */
	ck_assert_int_eq(kit_produce(7, 0, 0, 2, true, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(8, 0, 0, 1, true, &a), MQ_OK);
	ck_assert_int_eq(kit_end_txn(7, 0, false, 0, &a), MQ_OK);
	ck_assert_int_eq(kit_end_txn(8, 0, true, 0, &a), MQ_OK);
	ck_assert_int_eq(kit_produce(7, 0, 2, 1, true, &a), MQ_OK);
	ck_assert_int_eq(kit_end_txn(7, 0, false, 0, &a), MQ_OK);
	check_aborted(0, 100, 2, 0);
	check_aborted(0, 1, 1, 0);
	check_aborted(4, 100, 1, 5);
	check_aborted(3, 100, 2, 0);
	check_aborted(7, 100, 0, 0);
	kit_crash();
	check_aborted(0, 100, 2, 0);
	check_aborted(4, 100, 1, 5);
	kit_reopen();
	check_aborted(0, 100, 2, 0);
	check_aborted(4, 100, 1, 5);
	hex = kit_hex(kit_path(0, MQ_SEGMENT_TXN));
	ck_assert_str_eq(hex, "0000"
			      "0000000000000007"
			      "0000000000000000"
			      "0000000000000003"
			      "0000000000000002"
			      "0000"
			      "0000000000000007"
			      "0000000000000005"
			      "0000000000000006"
			      "0000000000000007");
	free(hex);
}
END_TEST

START_TEST(open_transactions_survive_restarts)
{
	kit.conf.segment_bytes = 500;
	mq_log_set_conf(kit.log, &kit.conf);
	ck_assert_int_eq(kit_produce(7, 0, 0, 2, true, &a), MQ_OK);
	for (int i = 0; i < 10; i++)
		kit_append(1, KIT_NOW, 100);
	ck_assert_int_eq(unstable(), 0);
	kit_crash();
	ck_assert_int_eq(unstable(), 0);
	kit_reopen();
	ck_assert_int_eq(unstable(), 0);
	ck_assert_int_eq(kit_end_txn(7, 0, false, 0, &a), MQ_OK);
	ck_assert_int_eq(unstable(), -1);
	check_aborted(0, 100, 1, 0);
}
END_TEST

static TCase *cases(void)
{
	TCase *tc = tcase_create("producers");

	tcase_add_checked_fixture(tc, kit_setup, kit_teardown);
	tcase_add_test(tc, sequences_must_follow_each_other);
	tcase_add_test(tc, an_unknown_producer_may_begin_anywhere);
	tcase_add_test(tc, sequences_wrap);
	tcase_add_test(tc, the_last_five_batches_are_known_again);
	tcase_add_test(tc, epochs_fence_and_reset_sequences);
	tcase_add_test(tc, a_repetition_of_a_queued_batch_shares_its_fate);
	tcase_add_test(tc, windows_survive_a_clean_stop);
	tcase_add_test(tc, windows_survive_a_crash);
	tcase_add_test(tc, the_snapshot_has_kafkas_bytes);
	tcase_add_test(tc, silent_producers_are_forgotten);
	tcase_add_test(tc, a_transaction_is_open_until_its_marker);
	tcase_add_test(tc, the_stable_offset_waits_for_the_watermark);
	tcase_add_test(tc, an_old_coordinator_is_fenced);
	tcase_add_test(tc, clients_may_not_write_markers);
	tcase_add_test(tc, aborted_transactions_are_found);
	tcase_add_test(tc, open_transactions_survive_restarts);
	return tc;
}

int main(void)
{
	return kit_run("log_producers", cases);
}
