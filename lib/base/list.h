/* Doubly linked lists threaded through their elements. */
#ifndef MQ_BASE_LIST_H
#define MQ_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct mq_list {
	struct mq_list *next, *prev;
};

/* Makes an empty list, or an element that is on no list. */
static inline void mq_list_init(struct mq_list *list)
{
	list->next = list->prev = list;
}

/* True for an empty list and for an element that is on no list. */
static inline bool mq_list_empty(const struct mq_list *list)
{
	return list->next == list;
}

static inline void mq_list_insert_before(struct mq_list *at, struct mq_list *node)
{
	node->prev = at->prev;
	node->next = at;
	at->prev->next = node;
	at->prev = node;
}

static inline void mq_list_push(struct mq_list *list, struct mq_list *node)
{
	mq_list_insert_before(list, node);
}

/* Takes an element off its list; harmless for one that is on none. */
static inline void mq_list_remove(struct mq_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	mq_list_init(node);
}

/* Moves all elements of from to the end of to. */
static inline void mq_list_append(struct mq_list *to, struct mq_list *from)
{
	if (mq_list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	mq_list_init(from);
}

#define mq_list_entry(node, type, member) mq_container_of(node, type, member)
#define mq_list_each(it, list)            for ((it) = (list)->next; (it) != (list); (it) = (it)->next)
#define mq_list_each_safe(it, tmp, list)                                                           \
	for ((it) = (list)->next, (tmp) = (it)->next; (it) != (list);                              \
	     (it) = (tmp), (tmp) = (it)->next)

#endif
