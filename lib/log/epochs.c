/* Which leader wrote which offsets. */
#include "log/epochs.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

void mq_epochs_deinit(struct mq_epochs *epochs)
{
	free(epochs->all);
	*epochs = (struct mq_epochs){0};
}

int32_t mq_epochs_last(const struct mq_epochs *epochs)
{
	return epochs->n ? epochs->all[epochs->n - 1].epoch : -1;
}

MQ_HOT bool mq_epochs_is_new(const struct mq_epochs *epochs, int32_t epoch)
{
	return epoch > mq_epochs_last(epochs);
}

bool mq_epochs_grow(struct mq_epochs *epochs, size_t n)
{
	size_t capacity = epochs->capacity ? epochs->capacity : 4;
	struct mq_epoch *all;

	while (capacity - epochs->n < n)
		capacity *= 2;
	all = mq_reallocarray(epochs->all, capacity, sizeof(*all));
	if (!all)
		return false;
	epochs->all = all;
	epochs->capacity = capacity;
	return true;
}

MQ_HOT void mq_epochs_assign(struct mq_epochs *epochs, int32_t epoch, int64_t offset)
{
	if (!mq_epochs_is_new(epochs, epoch))
		return;
	while (epochs->n && epochs->all[epochs->n - 1].start_offset >= offset)
		epochs->n--;
	assert(epochs->n < epochs->capacity);
	epochs->all[epochs->n++] = (struct mq_epoch){epoch, offset};
}

bool mq_epochs_cut_end(struct mq_epochs *epochs, int64_t end_offset)
{
	size_t before = epochs->n;

	while (epochs->n && epochs->all[epochs->n - 1].start_offset >= end_offset)
		epochs->n--;
	return epochs->n != before;
}

bool mq_epochs_cut_start(struct mq_epochs *epochs, int64_t start_offset)
{
	size_t gone = 0;

	while (gone + 1 < epochs->n && epochs->all[gone + 1].start_offset <= start_offset)
		gone++;
	if (gone) {
		epochs->n -= gone;
		memmove(epochs->all, epochs->all + gone, epochs->n * sizeof(*epochs->all));
	}
	if (epochs->n && epochs->all[0].start_offset < start_offset) {
		epochs->all[0].start_offset = start_offset;
		return true;
	}
	return gone > 0;
}

int32_t mq_epochs_at(const struct mq_epochs *epochs, int64_t offset)
{
	for (size_t i = epochs->n; i > 0; i--)
		if (epochs->all[i - 1].start_offset <= offset)
			return epochs->all[i - 1].epoch;
	return -1;
}

void mq_epochs_end(const struct mq_epochs *epochs, int32_t epoch, int32_t current, int64_t log_end,
		   int32_t *found_epoch, int64_t *end_offset)
{
	int32_t last = mq_epochs_last(epochs);
	int32_t newest = current > last ? current : last;
	size_t above = 0;

	*found_epoch = -1;
	*end_offset = -1;
	if (epoch < 0 || epoch > newest)
		return;
	if (epoch == newest) {
		*found_epoch = epoch;
		*end_offset = log_end;
		return;
	}
	while (above < epochs->n && epochs->all[above].epoch <= epoch)
		above++;
	/* The current epoch begins at the end of the log until it has written. */
	*end_offset = above < epochs->n ? epochs->all[above].start_offset : log_end;
	*found_epoch = above > 0 ? epochs->all[above - 1].epoch : epoch;
}

void mq_epochs_encode(const struct mq_epochs *epochs, struct mq_buf *buf)
{
	mq_buf_printf(buf, "0\n%zu\n", epochs->n);
	for (size_t i = 0; i < epochs->n; i++)
		mq_buf_printf(buf, "%" PRId32 " %" PRId64 "\n", epochs->all[i].epoch,
			      epochs->all[i].start_offset);
}

/* A decimal number in its bounds, up to the separator. */
static bool number(const char **p, int64_t max, char separator, int64_t *out)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*out = strtoll(*p, &end, 10);
	if (errno || *out > max || *end != separator)
		return false;
	*p = end + 1;
	return true;
}

mq_err mq_epochs_decode(struct mq_epochs *epochs, const char *text, size_t size)
{
	const char *p = text, *end = text + size;
	struct mq_epochs found = {0};
	int64_t version, n, epoch, offset;
	mq_err err = MQ_E_CORRUPT;

	if (!number(&p, INT32_MAX, '\n', &version))
		return MQ_E_CORRUPT;
	if (version != 0)
		return MQ_E_NEWER_FORMAT;
	/* An entry has four characters at least. */
	if (!number(&p, (int64_t)size / 4, '\n', &n))
		return MQ_E_CORRUPT;
	if (!mq_epochs_reserve(&found, (size_t)n)) {
		err = MQ_E_NOMEM;
		goto out;
	}
	for (int64_t i = 0; i < n; i++) {
		if (p >= end || !number(&p, INT32_MAX, ' ', &epoch) || p >= end ||
		    !number(&p, INT64_MAX, '\n', &offset))
			goto out;
		if (found.n && (epoch <= mq_epochs_last(&found) ||
				offset <= found.all[found.n - 1].start_offset))
			goto out;
		mq_epochs_assign(&found, (int32_t)epoch, offset);
	}
	if (p != end)
		goto out;
	mq_epochs_deinit(epochs);
	*epochs = found;
	return MQ_OK;
out:
	mq_epochs_deinit(&found);
	return err;
}
