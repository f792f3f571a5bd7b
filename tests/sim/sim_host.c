/*
 * Environments in the simulated world: mq_env_system_new() of the processes in
 * it, the clock of every environment, and the time that disks and workers take.
 *
 * A joined environment is a simulated one (sim_env.h) whose slow operations are
 * wrapped: they let the others run meanwhile. Jobs run on fibers.
 */
#include <stdlib.h>

#include "env/system.h"
#include "sim/sim_env.h"
#include "sim/sim_fs.h"
#include "sim/sim_impl.h"
#include "sim/sim_world.h"

struct host {
	struct mq_list node;
	struct sim_env *env;
	const struct mq_env_ops *plain;
	struct sim_pace pace;
	unsigned n_jobs; /* waiting or running */
};

/* A worker that comes when its time has come. */
struct job {
	struct host *host;
	struct sim_event start;
	const void *process;
};

static struct mq_list hosts = {&hosts, &hosts};

static struct host *find(const struct mq_env *env)
{
	struct mq_list *it;

	mq_list_each (it, &hosts) {
		struct host *host = mq_list_entry(it, struct host, node);

		if (sim_env_get(host->env) == env)
			return host;
	}
	sim_fail("an environment is used that nobody has");
}

void sim_hosts_advance(int64_t us)
{
	struct mq_list *it;

	if (us > 0)
		mq_list_each (it, &hosts)
			sim_env_advance(mq_list_entry(it, struct host, node)->env, us);
}

/* --- time ------------------------------------------------------------------------------ */

/* What an operation takes; most take nothing to speak of. */
static void take(int64_t max_us)
{
	if (max_us > 0 && sim_fiber_self() && sim_chance(300))
		sim_sleep(sim_time(max_us));
}

static int64_t slow_pread(struct mq_env *env, struct mq_file *file, void *data, size_t size,
			  int64_t at)
{
	struct host *host = find(env);

	take(host->pace.read_us);
	return host->plain->pread(env, file, data, size, at);
}

static int slow_pwritev(struct mq_env *env, struct mq_file *file, const struct iovec *iov, int n,
			int64_t at)
{
	struct host *host = find(env);
	int rc;

	take(host->pace.write_us);
	rc = host->plain->pwritev(env, file, iov, n, at);
	take(host->pace.write_us);
	return rc;
}

static int slow_sync(struct mq_env *env, struct mq_file *file)
{
	struct host *host = find(env);
	int rc;

	take(host->pace.sync_us);
	rc = host->plain->sync(env, file);
	take(host->pace.sync_us);
	return rc;
}

/* --- jobs --------------------------------------------------------------------------------- */

static void work(void *arg)
{
	struct job *job = arg;
	struct host *host = job->host;

	sim_set_process(job->process);
	free(job);
	/* Another job of the same key may be in the way. */
	while (!sim_env_run_job(host->env))
		(void)sim_wait(host, INT64_MAX);
	host->n_jobs--;
	sim_wake_all(host);
}

static void start_job(void *arg)
{
	struct job *job = arg;

	sim_fiber_detach(sim_fiber_start("worker", work, job));
}

static int slow_submit(struct mq_env *env, const void *key, void (*fn)(void *arg), void *arg)
{
	struct host *host = find(env);
	struct job *job;
	int rc = host->plain->submit(env, key, fn, arg);

	if (rc != 0)
		return rc;
	job = sim_alloc(sizeof(*job));
	job->host = host;
	job->process = sim_process();
	host->n_jobs++;
	sim_event_init(&job->start, start_job, job);
	sim_event_arm(&job->start, sim_now() + (sim_chance(300) ? sim_time(host->pace.job_us) : 0));
	return 0;
}

bool sim_host_busy(struct sim_env *env)
{
	return find(sim_env_get(env))->n_jobs > 0;
}

void sim_host_drain(struct sim_env *env)
{
	struct host *host = find(sim_env_get(env));

	while (host->n_jobs > 0)
		(void)sim_wait(host, INT64_MAX);
}

/* --- joining --------------------------------------------------------------------------------- */

void sim_host_join(struct sim_env *env, const struct sim_pace *pace)
{
	static struct mq_env_ops ops;
	struct host *host = sim_alloc(sizeof(*host));

	host->env = env;
	host->plain = sim_env_get(env)->ops;
	if (pace)
		host->pace = *pace;
	mq_list_push(&hosts, &host->node);
	sim_env_advance(env, sim_now() - mq_env_now_us(sim_env_get(env)));
	ops = *host->plain;
	ops.pread = slow_pread;
	ops.pwritev = slow_pwritev;
	ops.sync = slow_sync;
	ops.submit = slow_submit;
	sim_env_get(env)->ops = &ops;
}

void sim_host_leave(struct sim_env *env)
{
	struct host *host = find(sim_env_get(env));

	sim_check(host->n_jobs == 0, "an environment ends with jobs under way");
	mq_list_remove(&host->node);
	sim_env_get(env)->ops = host->plain;
	free(host);
}

int64_t mq_system_now_us(void)
{
	return sim_now();
}

/* --- the environments of clients
 * ------------------------------------------------------------------ */

struct mq_env *mq_env_system_new(unsigned n_workers)
{
	struct sim_env *env = sim_env_new(sim_random());

	(void)n_workers;
	sim_host_join(env, NULL);
	return sim_env_get(env);
}

void mq_env_system_free(struct mq_env *env)
{
	struct sim_env *sim;

	if (!env)
		return;
	sim = find(env)->env;
	sim_host_drain(sim);
	sim_host_leave(sim);
	sim_env_free(sim);
}
