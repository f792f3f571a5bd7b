/*
 * Reading and replacing checkpoint files. Whatever a damaged file says is
 * refused as a whole: half a recovery point would be believed too much.
 */
#include "config.h"

#include "log/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

/* A topic name, two numbers: 300 bytes; so 200,000 partitions a directory. */
#define MQ_CHECKPOINT_BYTES_MAX (64u << 20)

/* Reads a decimal number that ends at one of the bytes in ends; *at is left
 * behind that byte. */
static bool take_number(char **at, const char *ends, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	int64_t v;

	if (**at != '-' && (**at < '0' || **at > '9'))
		return false;
	errno = 0;
	v = strtoll(*at, &end, 10);
	if (errno || end == *at || v < min || v > max)
		return false;
	if (*end == '\0')
		*at = end;
	else if (strchr(ends, *end))
		*at = end + 1;
	else
		return false;
	*out = v;
	return true;
}

static bool take_entry(char **at, struct mq_checkpoint_entry *entry)
{
	int64_t partition, offset;
	char *space = strchr(*at, ' ');

	if (!space || space == *at || memchr(*at, '\n', (size_t)(space - *at)))
		return false;
	entry->topic = *at;
	*at = space + 1;
	if (!take_number(at, " ", 0, INT32_MAX, &partition))
		return false;
	if (!take_number(at, "\n", 0, INT64_MAX, &offset))
		return false;
	*space = '\0';
	entry->partition = (int32_t)partition;
	entry->offset = offset;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct mq_checkpoint_entry *x = a, *y = b;
	int c = strcmp(x->topic, y->topic);

	if (c)
		return c;
	return x->partition < y->partition ? -1 : x->partition > y->partition;
}

/* Keeps of equal neighbours the one that stood last in the file. */
static int compare_placed(const void *a, const void *b)
{
	const struct mq_checkpoint_entry *x = a, *y = b;
	int c = compare(a, b);

	if (c)
		return c;
	return x->topic < y->topic ? -1 : x->topic > y->topic;
}

static void sort_entries(struct mq_checkpoint *cp)
{
	size_t i, kept = 0;

	if (cp->n == 0)
		return;
	qsort(cp->entries, cp->n, sizeof(*cp->entries), compare_placed);
	for (i = 1; i < cp->n; i++) {
		if (compare(&cp->entries[kept], &cp->entries[i]) != 0)
			kept++;
		cp->entries[kept] = cp->entries[i];
	}
	cp->n = kept + 1;
}

static mq_err parse(struct mq_checkpoint *cp, size_t size, const char *path, mq_error *error)
{
	char *at = cp->text;
	int64_t version, n;

	if (strlen(cp->text) != size || !take_number(&at, "\n", 0, INT32_MAX, &version))
		return mq_fail(error, MQ_E_CORRUPT, "%s is damaged", path);
	if (version > 0)
		return mq_fail(error, MQ_E_NEWER_FORMAT, "%s has version %" PRId64, path, version);
	/* Each entry takes at least six bytes. */
	if (!take_number(&at, "\n", 0, (int64_t)size / 6, &n))
		return mq_fail(error, MQ_E_CORRUPT, "%s is damaged", path);
	cp->entries = mq_calloc((size_t)n + 1, sizeof(*cp->entries));
	if (!cp->entries)
		return mq_fail(error, MQ_E_NOMEM, "no memory for %s", path);
	while (cp->n < (size_t)n && take_entry(&at, &cp->entries[cp->n]))
		cp->n++;
	if (cp->n != (size_t)n || *at != '\0')
		return mq_fail(error, MQ_E_CORRUPT, "%s is damaged", path);
	sort_entries(cp);
	return MQ_OK;
}

mq_err mq_checkpoint_read(struct mq_env *env, const char *path, struct mq_checkpoint *out,
			  mq_error *error)
{
	struct mq_checkpoint cp = {NULL, NULL, 0};
	size_t size;
	mq_err err;
	int rc = mq_env_read_file(env, path, MQ_CHECKPOINT_BYTES_MAX, &cp.text, &size);

	if (rc == -ENOENT)
		return mq_fail(error, MQ_E_NOT_FOUND, "there is no %s", path);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot read %s", path);
	err = parse(&cp, size, path, error);
	if (err) {
		mq_checkpoint_deinit(&cp);
		return err;
	}
	*out = cp;
	return MQ_OK;
}

void mq_checkpoint_deinit(struct mq_checkpoint *checkpoint)
{
	free(checkpoint->entries);
	free(checkpoint->text);
	memset(checkpoint, 0, sizeof(*checkpoint));
}

int64_t mq_checkpoint_get(const struct mq_checkpoint *checkpoint, const char *topic,
			  int32_t partition, int64_t otherwise)
{
	struct mq_checkpoint_entry key = {topic, partition, 0};
	const struct mq_checkpoint_entry *found;

	if (checkpoint->n == 0)
		return otherwise;
	found = bsearch(&key, checkpoint->entries, checkpoint->n, sizeof(key), compare);
	return found ? found->offset : otherwise;
}

void mq_checkpoint_line(struct mq_buf *lines, const char *topic, int32_t partition, int64_t offset)
{
	mq_buf_printf(lines, "%s %" PRId32 " %" PRId64 "\n", topic, partition, offset);
}

mq_err mq_checkpoint_write(struct mq_env *env, const char *path, const struct mq_buf *lines,
			   size_t n, mq_error *error)
{
	struct mq_buf text;
	mq_err err = MQ_OK;
	int rc;

	mq_buf_init(&text, MQ_CHECKPOINT_BYTES_MAX);
	mq_buf_printf(&text, "0\n%zu\n", n);
	mq_buf_put_bytes(&text, lines->data, lines->size);
	if (text.failed || lines->failed) {
		err = mq_fail(error, MQ_E_NOMEM, "no memory for %s", path);
		goto out;
	}
	rc = mq_env_replace_file(env, path, text.data, text.size);
	if (rc < 0)
		err = mq_fail_errno(error, -rc, "cannot write %s", path);
out:
	mq_buf_deinit(&text);
	return err;
}
