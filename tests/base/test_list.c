/* Threaded lists. */
#include "base/list.h"

#include "suite.h"

struct item {
	struct mq_list node;
	int n;
};

static void check(struct mq_list *list, const char *order)
{
	struct mq_list *it;
	char text[16];
	int n = 0;

	mq_list_each (it, list)
		text[n++] = (char)('0' + mq_list_entry(it, struct item, node)->n);
	text[n] = '\0';
	ck_assert_str_eq(text, order);
}

START_TEST(elements_stay_in_order_and_can_leave)
{
	struct item items[5];
	struct mq_list list, *it, *tmp;

	mq_list_init(&list);
	ck_assert(mq_list_empty(&list));
	for (int i = 0; i < 5; i++) {
		items[i].n = i;
		mq_list_push(&list, &items[i].node);
	}
	check(&list, "01234");
	mq_list_remove(&items[2].node);
	ck_assert(mq_list_empty(&items[2].node));
	mq_list_remove(&items[2].node);
	check(&list, "0134");
	mq_list_insert_before(&items[0].node, &items[2].node);
	check(&list, "20134");
	mq_list_each_safe (it, tmp, &list)
		mq_list_remove(it);
	ck_assert(mq_list_empty(&list));
}
END_TEST

START_TEST(lists_join)
{
	struct item items[4];
	struct mq_list a, b;

	mq_list_init(&a);
	mq_list_init(&b);
	mq_list_append(&a, &b);
	ck_assert(mq_list_empty(&a));
	for (int i = 0; i < 4; i++) {
		items[i].n = i;
		mq_list_push(i < 2 ? &a : &b, &items[i].node);
	}
	mq_list_append(&a, &b);
	check(&a, "0123");
	ck_assert(mq_list_empty(&b));
	mq_list_append(&b, &a);
	check(&b, "0123");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    elements_stay_in_order_and_can_leave,
	    lists_join,
	};

	return SUITE_RUN("list", tests);
}
