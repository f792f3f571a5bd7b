/*
 * Retention: which segments of a log have had their time, and rolling the
 * active one when its time is up. Old segments go by their greatest timestamp,
 * by the size of the log, or because the log starts behind them; nothing above
 * the high watermark goes.
 */
#include "config.h"

#include "log/store_internal.h"

#include <stdlib.h>

#include "base/mem.h"

/* Everything below is to go, and may. */
struct verdict {
	int64_t upto;
	bool roll; /* first, because the active segment is among it */
};

static bool expired(const struct mq_segment_info *seg, const struct mq_log_conf *conf,
		    int64_t now_ms)
{
	int64_t newest = seg->max_timestamp >= 0 ? seg->max_timestamp : seg->mtime_ms;

	return conf->retention_ms >= 0 && newest < now_ms - conf->retention_ms;
}

static struct verdict judge(const struct mq_segment_info *segs, int n,
			    const struct mq_log_conf *conf, const struct mq_log_marks *marks,
			    int64_t high_watermark, int64_t now_ms)
{
	struct verdict v = {marks->start_offset, false};
	bool by_policy = conf->cleanup_policy & MQ_CLEANUP_DELETE;
	int64_t excess = 0;
	int i;

	for (i = 0; i < n; i++)
		excess += segs[i].size;
	excess -= conf->retention_bytes;
	for (i = 0; i < n && segs[i].end_offset <= high_watermark; i++) {
		const struct mq_segment_info *seg = &segs[i];
		bool below = seg->end_offset <= marks->start_offset && !seg->active;
		bool too_much = conf->retention_bytes >= 0 && excess >= seg->size;

		if (seg->active && seg->size == 0)
			break;
		if (!below && !(by_policy && (too_much || expired(seg, conf, now_ms))))
			break;
		excess -= seg->size;
		v.upto = MQ_MAX(v.upto, seg->end_offset);
		v.roll = seg->active;
	}
	return v;
}

/* When segment.ms will have passed since the first record of the active segment. */
static int64_t roll_time(const struct mq_segment_info *active, const struct mq_log_conf *conf)
{
	int64_t due;

	if (active->size == 0 || active->first_timestamp < 0 || conf->segment_ms <= 0 ||
	    __builtin_add_overflow(active->first_timestamp, conf->segment_ms, &due))
		return INT64_MAX;
	return due;
}

mq_err mq_retention_run(struct mq_store_log *sl, const struct mq_log_conf *conf, int64_t now_ms,
			struct mq_retention *done, mq_error *error)
{
	struct mq_store *store = sl->dir->store;
	struct mq_segment_info *segs;
	struct mq_log_marks marks;
	struct verdict v;
	int64_t high_watermark;
	mq_err err;
	int n;

	*done = (struct mq_retention){0, INT64_MAX};
	err = mq_log_segments(sl->log, &segs, &n, error);
	if (err)
		return err;
	mq_store_lock(store);
	mq_log_marks(sl->log, &marks);
	high_watermark = store->args.high_watermark
			     ? store->args.high_watermark(store->args.arg, sl->log)
			     : marks.end_offset;
	mq_store_unlock(store);
	v = judge(segs, n, conf, &marks, high_watermark, now_ms);
	if (n > 0)
		done->roll_ms = roll_time(&segs[n - 1], conf);
	if (v.roll || done->roll_ms <= now_ms) {
		err = mq_log_roll(sl->log, error);
		done->roll_ms = INT64_MAX;
	}
	if (!err && n > 0 && v.upto > segs[0].base_offset)
		err = mq_log_delete_before(sl->log, v.upto, &done->n_deleted, error);
	free(segs);
	return err;
}
