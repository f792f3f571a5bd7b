/* Power fails while topics are created, altered, grown and deleted: the next
 * start finds each change done or not begun, never half. */
#include "broker/fixture.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>

enum step_kind { CREATE, DELETE, GROW, ALTER };

static const struct step {
	enum step_kind kind;
	const char *name;
	int32_t n; /* partitions, or retention.ms */
} steps[] = {
    {CREATE, "a", 2}, {ALTER, "a", 111},  {CREATE, "b", 1}, {GROW, "b", 4},
    {DELETE, "a", 0}, {CREATE, "a", 3},   {ALTER, "b", 222}, {ALTER, "a", 333},
    {DELETE, "b", 0}, {CREATE, "c", 12},  {CREATE, "b", 1}, {DELETE, "c", 0},
};

#define NAMES      3
#define IMAGES_MAX 4000

/* What there should be: partitions (0: no such topic) and retention.ms (0: unset). */
struct model {
	int32_t partitions[NAMES];
	int32_t retention[NAMES];
};

struct image {
	struct sim_env *sim;
	size_t step; /* under way */
};

static struct model models[mq_array_size(steps) + 1];
static struct image images[IMAGES_MAX];
static size_t n_images, now_at;
static uint64_t image_seed;

static void apply(struct model *m, const struct step *step)
{
	int i = step->name[0] - 'a';

	if (step->kind == DELETE)
		m->partitions[i] = m->retention[i] = 0;
	else if (step->kind == ALTER)
		m->retention[i] = step->n;
	else
		m->partitions[i] = step->n;
}

static void take_image(void *arg, struct sim_env *sim, enum sim_op op)
{
	(void)arg;
	(void)op;
	for (int i = 0; i < 2 && n_images < IMAGES_MAX; i++)
		images[n_images++] =
		    (struct image){sim_env_crash_image(sim, ++image_seed), now_at};
}

/* --- the steps ------------------------------------------------------------------- */

static void *request_of(struct fixture *f, const struct step *step, int16_t *key)
{
	struct mq_create_topics_request *create;
	struct mq_delete_topics_request *delete;
	struct mq_create_partitions_request *grow;
	struct mq_incremental_alter_configs_request *alter;
	char value[16];

	switch (step->kind) {
	case CREATE:
		*key = MQ_API_CREATE_TOPICS;
		create = fx_request(f, mq_create_topics_request);
		create->topics = fx_request(f, mq_create_topics_request_topic);
		create->n_topics = 1;
		create->topics[0].name = mq_str(step->name);
		create->topics[0].num_partitions = step->n;
		create->topics[0].replication_factor = 1;
		return create;
	case DELETE:
		*key = MQ_API_DELETE_TOPICS;
		delete = fx_request(f, mq_delete_topics_request);
		delete->topics = fx_request(f, mq_delete_topics_request_topic);
		delete->n_topics = 1;
		delete->topics[0].name = mq_str(step->name);
		return delete;
	case GROW:
		*key = MQ_API_CREATE_PARTITIONS;
		grow = fx_request(f, mq_create_partitions_request);
		grow->topics = fx_request(f, mq_create_partitions_request_topic);
		grow->n_topics = 1;
		grow->topics[0].name = mq_str(step->name);
		grow->topics[0].count = step->n;
		grow->topics[0].n_assignments = -1;
		return grow;
	case ALTER:
		break;
	}
	*key = MQ_API_INCREMENTAL_ALTER_CONFIGS;
	snprintf(value, sizeof(value), "%d", step->n);
	alter = fx_request(f, mq_incremental_alter_configs_request);
	alter->resources = fx_request(f, mq_incremental_alter_configs_request_resource);
	alter->n_resources = 1;
	alter->resources[0].resource_type = 2;
	alter->resources[0].resource_name = mq_str(step->name);
	alter->resources[0].configs = fx_request(f, mq_incremental_alter_configs_request_config);
	alter->resources[0].n_configs = 1;
	alter->resources[0].configs[0].name = mq_str("retention.ms");
	alter->resources[0].configs[0].value = mq_arena_dup(&f->arena, mq_str(value));
	return alter;
}

static int error_of(const struct step *step, const void *response)
{
	switch (step->kind) {
	case CREATE:
		return ((const struct mq_create_topics_response *)response)->topics[0].error_code;
	case DELETE:
		return ((const struct mq_delete_topics_response *)response)->responses[0].error_code;
	case GROW:
		return ((const struct mq_create_partitions_response *)response)
		    ->results[0]
		    .error_code;
	case ALTER:
		break;
	}
	return ((const struct mq_incremental_alter_configs_response *)response)
	    ->responses[0]
	    .error_code;
}

static void run(struct fixture *f, const struct step *step)
{
	struct fx_call call;
	int16_t key;
	void *request = request_of(f, step, &key);
	void *response = fx_call(f, &call, key, mq_api_find(key)->version_max, request);

	ck_assert_int_eq(call.err, MQ_OK);
	ck_assert_int_eq(error_of(step, response), 0);
	fx_release(&call);
}

/* --- what is found ------------------------------------------------------------------ */

static void look(struct fixture *f, struct model *found)
{
	struct mq_list tasks;

	memset(found, 0, sizeof(*found));
	mq_core_enter(f->core, &tasks);
	ck_assert_uint_le(f->core->topics.n, NAMES);
	for (int i = 0; i < NAMES; i++) {
		const struct mq_topic *topic =
		    mq_map_get(&f->core->topics, (char[]){(char)('a' + i)}, 1);

		if (!topic)
			continue;
		found->partitions[i] = topic->n_partitions;
		if (topic->overrides && mq_conf_is_set(topic->overrides, "retention.ms"))
			found->retention[i] = (int32_t)topic->conf.log.retention_ms;
		for (int32_t p = 0; p < topic->n_partitions; p++)
			ck_assert_ptr_nonnull(topic->partitions[p]->log);
	}
	mq_core_leave(f->core, &tasks);
}

static bool same(const struct model *a, const struct model *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void check_image(const struct image *image, size_t i)
{
	const struct model *before = &models[image->step], *after = &models[image->step + 1];
	struct model found, again;
	struct fixture f;

	fx_open_image(&f, image->sim, "auto.create.topics.enable", "false", NULL);
	look(&f, &found);
	ck_assert_msg(same(&found, before) || same(&found, after),
		      "image %zu, in step %zu: a %d/%d b %d/%d c %d/%d", i, image->step,
		      found.partitions[0], found.retention[0], found.partitions[1],
		      found.retention[1], found.partitions[2], found.retention[2]);
	for (int n = 0; n < NAMES; n++)
		if (found.partitions[n])
			ck_assert_int_eq(fx_put(&f, (char[]){(char)('a' + n), 0}, 3), 0);
	fx_reopen(&f);
	look(&f, &again);
	ck_assert(same(&found, &again));
	fx_close(&f);
}

START_TEST(each_change_is_done_or_not_begun_wherever_the_power_fails)
{
	struct fixture f;

	fx_open_sim(&f, "auto.create.topics.enable", "false", NULL);
	for (size_t i = 0; i < mq_array_size(steps); i++) {
		models[i + 1] = models[i];
		apply(&models[i + 1], &steps[i]);
		now_at = i;
		sim_env_set_hook(f.sim, take_image, NULL);
		run(&f, &steps[i]);
		sim_env_set_hook(f.sim, NULL, NULL);
	}
	fx_close(&f);
	ck_assert_uint_gt(n_images, 200);
	ck_assert_uint_lt(n_images, IMAGES_MAX);
	for (size_t i = 0; i < n_images; i++)
		check_image(&images[i], i);
	printf("%zu power failures\n", n_images);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    each_change_is_done_or_not_begun_wherever_the_power_fails,
	};

	return SUITE_RUN("topics_crash", tests);
}
