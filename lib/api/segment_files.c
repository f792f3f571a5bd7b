/* The public readers of what lies beside a segment: indexes, snapshots of
 * producers and the checkpoint of leader epochs. */
#include "config.h"

#include <mq/segment.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/mem.h"
#include "env/env.h"

#define FILE_BYTES_MAX (1u << 30)
#define OFFSET_DIGITS  20u

enum {
	INDEX_ENTRY = 8,
	TIME_ENTRY = 12,
	TXN_ENTRY = 34,
	SNAPSHOT_HEAD = 10,
	SNAPSHOT_CRC_FROM = 6,
	SNAPSHOT_ENTRY = 46,
};

mq_err mq_segment_base_offset(const char *path, int64_t *out)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = strspn(name, "0123456789");
	long long v;

	if (n != OFFSET_DIGITS || name[n] != '.')
		return MQ_E_ARG;
	errno = 0;
	v = strtoll(name, NULL, 10);
	if (errno)
		return MQ_E_ARG;
	*out = v;
	return MQ_OK;
}

/* Reads a whole file; the caller frees. */
static mq_err read_all(const char *path, char **data, size_t *size, mq_error *error)
{
	struct mq_env *env = mq_env_system_new(1);
	int rc;

	if (!env)
		return mq_fail(error, MQ_E_NOMEM, "no memory to read %s", path);
	rc = mq_env_read_file(env, path, FILE_BYTES_MAX, data, size);
	mq_env_system_free(env);
	if (rc == -ENOENT)
		return mq_fail(error, MQ_E_NOT_FOUND, "there is no %s", path);
	if (rc == -EFBIG)
		return mq_fail(error, MQ_E_CORRUPT, "%s is too large", path);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot read %s", path);
	return MQ_OK;
}

/* Reads a file of entries of one size; *entries is an array of room for them. */
static mq_err read_entries(const char *path, size_t entry_on_disk, size_t entry, char **data,
			   void **entries, size_t *n, mq_error *error)
{
	size_t size;
	void *room;
	mq_err err = read_all(path, data, &size, error);

	if (err)
		return err;
	if (size % entry_on_disk != 0) {
		free(*data);
		return mq_fail(error, MQ_E_CORRUPT, "%s has %zu bytes, which is no multiple of %zu",
			       path, size, entry_on_disk);
	}
	room = size ? mq_calloc(size / entry_on_disk, entry) : NULL;
	if (size && !room) {
		free(*data);
		return mq_fail(error, MQ_E_NOMEM, "no memory to read %s", path);
	}
	*entries = room;
	*n = size / entry_on_disk;
	return MQ_OK;
}

static mq_err base_of(const char *path, int64_t *base, mq_error *error)
{
	if (mq_segment_base_offset(path, base) == MQ_OK)
		return MQ_OK;
	return mq_fail(error, MQ_E_ARG, "%s is not named after an offset", path);
}

mq_err mq_index_read(const char *path, mq_index_entry **out, size_t *n, mq_error *error)
{
	mq_index_entry *entries;
	void *room;
	int64_t base;
	char *data;
	size_t i;
	mq_err err = base_of(path, &base, error);

	if (!err)
		err = read_entries(path, INDEX_ENTRY, sizeof(*entries), &data, &room, n, error);
	if (err)
		return err;
	entries = room;
	for (i = 0; i < *n; i++) {
		entries[i].offset = (int64_t)((uint64_t)base + mq_get32(data + i * INDEX_ENTRY));
		entries[i].position = (int32_t)mq_get32(data + i * INDEX_ENTRY + 4);
	}
	free(data);
	*out = entries;
	return MQ_OK;
}

mq_err mq_time_index_read(const char *path, mq_time_index_entry **out, size_t *n, mq_error *error)
{
	mq_time_index_entry *entries;
	void *room;
	int64_t base;
	char *data;
	size_t i;
	mq_err err = base_of(path, &base, error);

	if (!err)
		err = read_entries(path, TIME_ENTRY, sizeof(*entries), &data, &room, n, error);
	if (err)
		return err;
	entries = room;
	for (i = 0; i < *n; i++) {
		entries[i].timestamp = (int64_t)mq_get64(data + i * TIME_ENTRY);
		entries[i].offset = (int64_t)((uint64_t)base + mq_get32(data + i * TIME_ENTRY + 8));
	}
	free(data);
	*out = entries;
	return MQ_OK;
}

mq_err mq_txn_index_read(const char *path, mq_txn_index_entry **out, size_t *n, mq_error *error)
{
	mq_txn_index_entry *entries;
	void *room;
	char *data;
	size_t i, count;
	mq_err err = read_entries(path, TXN_ENTRY, sizeof(*entries), &data, &room, &count, error);

	if (err)
		return err;
	entries = room;
	for (i = 0; i < count; i++) {
		const char *p = data + i * TXN_ENTRY;

		entries[i] = (mq_txn_index_entry){
		    .version = (int16_t)mq_get16(p),
		    .producer_id = (int64_t)mq_get64(p + 2),
		    .first_offset = (int64_t)mq_get64(p + 10),
		    .last_offset = (int64_t)mq_get64(p + 18),
		    .last_stable_offset = (int64_t)mq_get64(p + 26),
		};
		if (entries[i].version != 0) {
			err = mq_fail(error, MQ_E_NEWER_FORMAT, "%s has an entry of version %d",
				      path, entries[i].version);
			break;
		}
	}
	free(data);
	if (err) {
		free(entries);
		return err;
	}
	*out = entries;
	*n = count;
	return MQ_OK;
}

static mq_err parse_snapshot(const char *path, const char *data, size_t size,
			     mq_snapshot_entry **out, size_t *n, mq_error *error)
{
	mq_snapshot_entry *entries;
	size_t i, count;

	if (size < SNAPSHOT_HEAD)
		return mq_fail(error, MQ_E_CORRUPT, "%s is too short", path);
	if (mq_get16(data) != 1)
		return mq_fail(error, MQ_E_NEWER_FORMAT, "%s has version %d", path, mq_get16(data));
	if (mq_get32(data + 2) != mq_crc32c(0, data + SNAPSHOT_CRC_FROM, size - SNAPSHOT_CRC_FROM))
		return mq_fail(error, MQ_E_CORRUPT, "%s has a wrong checksum", path);
	count = mq_get32(data + SNAPSHOT_CRC_FROM);
	if (count != (size - SNAPSHOT_HEAD) / SNAPSHOT_ENTRY ||
	    (size - SNAPSHOT_HEAD) % SNAPSHOT_ENTRY != 0)
		return mq_fail(error, MQ_E_CORRUPT, "%s has a wrong number of entries", path);
	entries = count ? mq_calloc(count, sizeof(*entries)) : NULL;
	if (count && !entries)
		return mq_fail(error, MQ_E_NOMEM, "no memory to read %s", path);
	for (i = 0; i < count; i++) {
		const char *p = data + SNAPSHOT_HEAD + i * SNAPSHOT_ENTRY;

		entries[i] = (mq_snapshot_entry){
		    .producer_id = (int64_t)mq_get64(p),
		    .producer_epoch = (int16_t)mq_get16(p + 8),
		    .last_sequence = (int32_t)mq_get32(p + 10),
		    .last_offset = (int64_t)mq_get64(p + 14),
		    .offset_delta = (int32_t)mq_get32(p + 22),
		    .timestamp = (int64_t)mq_get64(p + 26),
		    .coordinator_epoch = (int32_t)mq_get32(p + 34),
		    .txn_first_offset = (int64_t)mq_get64(p + 38),
		};
	}
	*out = entries;
	*n = count;
	return MQ_OK;
}

mq_err mq_snapshot_read(const char *path, mq_snapshot_entry **out, size_t *n, mq_error *error)
{
	char *data;
	size_t size;
	mq_err err = read_all(path, &data, &size, error);

	if (err)
		return err;
	err = parse_snapshot(path, data, size, out, n, error);
	free(data);
	return err;
}

/* A number that ends at stop; *at is left behind that. */
static bool take(const char **at, char stop, int64_t max, int64_t *out)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	*out = strtoll(*at, &end, 10);
	if (errno || *out > max || (*end != stop && *end != '\0'))
		return false;
	*at = *end ? end + 1 : end;
	return true;
}

static mq_err parse_epochs(const char *path, const char *text, size_t size, mq_epoch_entry **out,
			   size_t *n, mq_error *error)
{
	mq_epoch_entry *entries;
	int64_t version, count, epoch;
	size_t i;

	if (strlen(text) != size || !take(&text, '\n', INT32_MAX, &version))
		return mq_fail(error, MQ_E_CORRUPT, "%s is damaged", path);
	if (version > 0)
		return mq_fail(error, MQ_E_NEWER_FORMAT, "%s has version %" PRId64, path, version);
	if (!take(&text, '\n', (int64_t)size / 4, &count))
		return mq_fail(error, MQ_E_CORRUPT, "%s is damaged", path);
	entries = count ? mq_calloc((size_t)count, sizeof(*entries)) : NULL;
	if (count && !entries)
		return mq_fail(error, MQ_E_NOMEM, "no memory to read %s", path);
	for (i = 0; i < (size_t)count; i++) {
		if (!take(&text, ' ', INT32_MAX, &epoch) ||
		    !take(&text, '\n', INT64_MAX, &entries[i].start_offset))
			break;
		entries[i].epoch = (int32_t)epoch;
	}
	if (i < (size_t)count || *text) {
		free(entries);
		return mq_fail(error, MQ_E_CORRUPT, "%s is damaged", path);
	}
	*out = entries;
	*n = (size_t)count;
	return MQ_OK;
}

mq_err mq_epochs_read(const char *path, mq_epoch_entry **out, size_t *n, mq_error *error)
{
	char *text;
	size_t size;
	mq_err err = read_all(path, &text, &size, error);

	if (err)
		return err;
	err = parse_epochs(path, text, size, out, n, error);
	free(text);
	return err;
}
