/* The world: clock, choices, trace, events, fibers. See sim_world.h. */
#include "sim/sim_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "sim/sim_fs.h"
#include "sim/sim_impl.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SIM_ASAN 1
#else
#define SIM_ASAN 0
#endif

#define STACK_BYTES (512 * 1024)
#define GUARD_BYTES 4096

/* What a failure shows of the trace. */
#define TRACE_LINES 60
#define TRACE_WIDTH 160

/* Where so much happens in one moment, some go in circles. */
#define STEPS_MAX 100000

struct sim_fiber {
	struct mq_list node; /* ready, or waiting */
	ucontext_t context;
	void *stack;
	void *fake_stack; /* the address sanitizer's */
	char name[16];
	void (*fn)(void *arg);
	void *arg;
	const void *process;
	const void *on; /* what it waits for */
	bool woken, ended, detached;
	struct sim_event alarm;
};

struct world {
	uint64_t random;
	int64_t now_us;
	uint64_t hash, n_steps, order;
	unsigned preemption;
	struct mq_list ready, waiting;
	size_t n_ready, n_fibers;
	struct sim_fiber *self;
	ucontext_t scheduler;
	void *scheduler_fake;
	const void *scheduler_stack;
	size_t scheduler_size;
	struct sim_event **heap; /* from 1 on */
	size_t n_events, heap_capacity;
	char (*lines)[TRACE_WIDTH];
	uint64_t n_lines;
};

static struct world *world;
static bool verbose;
static char replay[256];

/* Stacks that fibers have left: mapping them costs more than a run's steps. */
static void *stacks[64];
static size_t n_stacks;

int64_t sim_now(void)
{
	return world->now_us;
}

/* --- trace and failures ------------------------------------------------------------- */

void sim_set_verbose(bool on)
{
	verbose = on;
}

void sim_set_replay(const char *how)
{
	snprintf(replay, sizeof(replay), "%s", how);
}

void sim_trace(const char *fmt, ...)
{
	char *line = world->lines[world->n_lines++ % TRACE_LINES];
	va_list args;
	int n;

	n = snprintf(line, TRACE_WIDTH, "%10.3f %-10s ", (double)world->now_us / 1000,
		     world->self ? world->self->name : "");
	va_start(args, fmt);
	vsnprintf(line + n, TRACE_WIDTH - (size_t)n, fmt, args);
	va_end(args);
	for (const char *p = line; *p; p++)
		world->hash = (world->hash ^ (uint8_t)*p) * 0x100000001b3u;
	if (verbose)
		printf("%s\n", line);
}

void sim_report_trace(void)
{
	uint64_t first = 0;

	if (!world)
		return;
	if (world->n_lines > TRACE_LINES)
		first = world->n_lines - TRACE_LINES;
	if (!verbose)
		for (uint64_t i = first; i < world->n_lines; i++)
			fprintf(stderr, "%s\n", world->lines[i % TRACE_LINES]);
	fprintf(stderr, "Repeat it with: %s\n", replay);
}

void sim_fail(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	sim_report_trace();
	fprintf(stderr, "FAILED: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	fflush(NULL);
	_Exit(1);
}

/* --- choices ---------------------------------------------------------------------------- */

uint64_t sim_random(void)
{
	return sim_mix(world->random++);
}

uint64_t sim_below(uint64_t n)
{
	return sim_random() % n;
}

int64_t sim_between(int64_t low, int64_t high)
{
	return low + (int64_t)sim_below((uint64_t)(high - low) + 1);
}

bool sim_chance(unsigned per_mille)
{
	return per_mille > 0 && sim_below(1000) < per_mille;
}

int64_t sim_time(int64_t max_us)
{
	uint64_t range = (uint64_t)max_us;

	if (max_us <= 0)
		return 0;
	range >>= sim_below(12);
	return (int64_t)sim_below(range + 1);
}

/* --- events --------------------------------------------------------------------------------- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->due_us < b->due_us || (a->due_us == b->due_us && a->order < b->order);
}

static void place(struct sim_event *event, size_t at)
{
	world->heap[at] = event;
	event->at = at;
}

static void sift(struct sim_event *event, size_t at)
{
	size_t child;

	for (; at > 1 && before(event, world->heap[at / 2]); at /= 2)
		place(world->heap[at / 2], at);
	while ((child = at * 2) <= world->n_events) {
		if (child < world->n_events && before(world->heap[child + 1], world->heap[child]))
			child++;
		if (!before(world->heap[child], event))
			break;
		place(world->heap[child], at);
		at = child;
	}
	place(event, at);
}

void sim_event_init(struct sim_event *event, void (*fn)(void *arg), void *arg)
{
	*event = (struct sim_event){.fn = fn, .arg = arg};
}

void sim_event_disarm(struct sim_event *event)
{
	struct sim_event *last;
	size_t at = event->at;

	if (at == 0)
		return;
	event->at = 0;
	last = world->heap[world->n_events--];
	if (last != event)
		sift(last, at);
}

void sim_event_arm(struct sim_event *event, int64_t due_us)
{
	sim_event_disarm(event);
	event->due_us = MQ_MAX(due_us, world->now_us);
	/* Events of one moment happen in any order. */
	event->order = sim_random();
	if (world->n_events + 2 > world->heap_capacity) {
		world->heap_capacity = world->heap_capacity * 2 + 64;
		world->heap = sim_grow(world->heap, world->heap_capacity, sizeof(world->heap[0]));
	}
	world->n_events++;
	sift(event, world->n_events);
}

/* --- fibers ---------------------------------------------------------------------------------- */

static void *stack_get(void)
{
	uint8_t *memory;

	if (n_stacks > 0)
		return stacks[--n_stacks];
	memory = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED || mprotect(memory, GUARD_BYTES, PROT_NONE) != 0) {
		perror("a stack");
		abort();
	}
	return memory;
}

static void stack_put(void *stack)
{
#if SIM_ASAN
	/* The frames that were there have not returned. */
	__asan_unpoison_memory_region((uint8_t *)stack + GUARD_BYTES, STACK_BYTES - GUARD_BYTES);
#endif
	if (n_stacks < mq_array_size(stacks))
		stacks[n_stacks++] = stack;
	else
		munmap(stack, STACK_BYTES);
}

/* What the address sanitizer has to know about changing stacks. */
static void leave_for(void **fake_stack, const void *stack, size_t size)
{
#if SIM_ASAN
	__sanitizer_start_switch_fiber(fake_stack, stack, size);
#else
	(void)fake_stack, (void)stack, (void)size;
#endif
}

static void arrived(void *fake_stack, const void **from, size_t *size)
{
#if SIM_ASAN
	__sanitizer_finish_switch_fiber(fake_stack, from, size);
#else
	(void)fake_stack, (void)from, (void)size;
#endif
}

static void to_scheduler(struct sim_fiber *fiber, bool for_good)
{
	leave_for(for_good ? NULL : &fiber->fake_stack, world->scheduler_stack,
		  world->scheduler_size);
	swapcontext(&fiber->context, &world->scheduler);
	arrived(fiber->fake_stack, NULL, NULL);
}

static void to_fiber(struct sim_fiber *fiber)
{
	world->self = fiber;
	leave_for(&world->scheduler_fake, (uint8_t *)fiber->stack + GUARD_BYTES,
		  STACK_BYTES - GUARD_BYTES);
	swapcontext(&world->scheduler, &fiber->context);
	arrived(world->scheduler_fake, NULL, NULL);
	world->self = NULL;
}

static void make_ready(struct sim_fiber *fiber)
{
	mq_list_remove(&fiber->node);
	mq_list_push(&world->ready, &fiber->node);
	world->n_ready++;
	fiber->on = NULL;
	sim_event_disarm(&fiber->alarm);
}

static void on_alarm(void *arg)
{
	make_ready(arg);
}

static void fiber_main(void)
{
	struct sim_fiber *fiber = world->self;

	arrived(NULL, &world->scheduler_stack, &world->scheduler_size);
	fiber->fn(fiber->arg);
	fiber->ended = true;
	sim_wake_all(fiber);
	to_scheduler(fiber, true);
}

struct sim_fiber *sim_fiber_start(const char *name, void (*fn)(void *arg), void *arg)
{
	struct sim_fiber *fiber = sim_alloc(sizeof(*fiber));

	snprintf(fiber->name, sizeof(fiber->name), "%s", name);
	fiber->fn = fn;
	fiber->arg = arg;
	fiber->process = world->self ? world->self->process : NULL;
	fiber->stack = stack_get();
	mq_list_init(&fiber->node);
	sim_event_init(&fiber->alarm, on_alarm, fiber);
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = (uint8_t *)fiber->stack + GUARD_BYTES;
	fiber->context.uc_stack.ss_size = STACK_BYTES - GUARD_BYTES;
	makecontext(&fiber->context, fiber_main, 0);
	world->n_fibers++;
	make_ready(fiber);
	return fiber;
}

static void fiber_free(struct sim_fiber *fiber)
{
	world->n_fibers--;
	free(fiber);
}

void sim_fiber_join(struct sim_fiber *fiber)
{
	while (!fiber->ended)
		sim_wait(fiber, INT64_MAX);
	fiber_free(fiber);
}

void sim_fiber_detach(struct sim_fiber *fiber)
{
	fiber->detached = true;
	if (fiber->ended)
		fiber_free(fiber);
}

struct sim_fiber *sim_fiber_self(void)
{
	return world ? world->self : NULL;
}

void sim_set_process(const void *process)
{
	world->self->process = process;
}

const void *sim_process(void)
{
	return world->self ? world->self->process : NULL;
}

void sim_yield(void)
{
	make_ready(world->self);
	to_scheduler(world->self, false);
}

bool sim_wait(const void *on, int64_t until_us)
{
	struct sim_fiber *self = world->self;

	sim_check(self, "somebody waits outside of every fiber");
	if (until_us <= world->now_us) {
		sim_yield();
		return false;
	}
	self->on = on;
	self->woken = false;
	mq_list_push(&world->waiting, &self->node);
	if (until_us != INT64_MAX)
		sim_event_arm(&self->alarm, until_us);
	to_scheduler(self, false);
	return self->woken;
}

void sim_sleep(int64_t us)
{
	(void)sim_wait(NULL, world->now_us + us);
}

void sim_wake_all(const void *on)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &world->waiting) {
		struct sim_fiber *fiber = mq_list_entry(it, struct sim_fiber, node);

		if (fiber->on != on)
			continue;
		fiber->woken = true;
		make_ready(fiber);
	}
}

void sim_wake_one(const void *on)
{
	struct sim_fiber *chosen = NULL;
	struct mq_list *it;
	uint64_t n = 0;

	mq_list_each (it, &world->waiting) {
		struct sim_fiber *fiber = mq_list_entry(it, struct sim_fiber, node);

		if (fiber->on == on && sim_below(++n) == 0)
			chosen = fiber;
	}
	if (!chosen)
		return;
	chosen->woken = true;
	make_ready(chosen);
}

/* --- running ------------------------------------------------------------------------------------
 */

static void maybe_preempt(void)
{
	if (world && world->self && sim_chance(world->preemption))
		sim_yield();
}

void sim_set_preemption(unsigned per_mille)
{
	world->preemption = per_mille;
	mq_env_yield_hook = per_mille ? maybe_preempt : NULL;
}

static void fail_stuck(void)
{
	struct mq_list *it;

	mq_list_each (it, &world->waiting)
		fprintf(stderr, "waits: %s\n", mq_list_entry(it, struct sim_fiber, node)->name);
	sim_fail("all wait for each other");
}

static void fire_due(void)
{
	while (world->n_events > 0 && world->heap[1]->due_us <= world->now_us) {
		struct sim_event *event = world->heap[1];

		sim_event_disarm(event);
		event->fn(event->arg);
	}
}

static void run_one(void)
{
	uint64_t chosen = sim_below(world->n_ready);
	struct mq_list *it = world->ready.next;
	struct sim_fiber *fiber;

	while (chosen-- > 0)
		it = it->next;
	fiber = mq_list_entry(it, struct sim_fiber, node);
	mq_list_remove(&fiber->node);
	world->n_ready--;
	to_fiber(fiber);
	if (!fiber->ended)
		return;
	stack_put(fiber->stack);
	fiber->stack = NULL;
	if (fiber->detached)
		fiber_free(fiber);
}

static void step(void)
{
	int64_t from_us = world->now_us;

	sim_check(world->n_steps++ < STEPS_MAX, "they go in circles, and no time passes");
	if (world->n_ready == 0) {
		if (world->n_events == 0)
			fail_stuck();
		world->now_us = MQ_MAX(world->now_us, world->heap[1]->due_us);
		if (world->now_us > from_us)
			world->n_steps = 0;
		sim_hosts_advance(world->now_us - from_us);
		fire_due();
	}
	if (world->n_ready > 0)
		run_one();
}

uint64_t sim_run(uint64_t seed, void (*main_fn)(void *arg), void *arg)
{
	struct world w = {.random = sim_mix(seed ^ 0x5eed), .hash = 0xcbf29ce484222325u};
	struct sim_fiber *first;
	uint64_t hash;

	w.now_us = SIM_SEC;
	w.lines = sim_alloc(TRACE_LINES * sizeof(w.lines[0]));
	mq_list_init(&w.ready);
	mq_list_init(&w.waiting);
	world = &w;
	first = sim_fiber_start("main", main_fn, arg);
	while (!first->ended)
		step();
	sim_set_preemption(0);
	fiber_free(first);
	/* Who was let go and has only to return may do so. */
	while (w.n_ready > 0)
		run_one();
	if (w.n_fibers > 0)
		fail_stuck();
	hash = w.hash;
	world = NULL;
	free(w.heap);
	free(w.lines);
	return hash;
}
