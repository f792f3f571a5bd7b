/* Walking the batches of a segment file by their heads. */
#include "log/scan.h"

#include <assert.h>

#include "base/crc32c.h"
#include "base/mem.h"

void mq_scan_init(struct mq_scan *scan, struct mq_env *env, struct mq_file *file, int64_t limit,
		  void *buf, size_t buf_size)
{
	assert(buf_size >= MQ_CONTROL_BATCH_SIZE);
	*scan = (struct mq_scan){
	    .env = env,
	    .file = file,
	    .limit = limit,
	    .buf = buf,
	    .buf_size = buf_size,
	};
}

const uint8_t *mq_scan_bytes(struct mq_scan *scan, int64_t at, size_t n)
{
	int64_t got;

	assert(n <= scan->buf_size);
	if (at < 0 || at > scan->limit || (int64_t)n > scan->limit - at)
		return NULL;
	if (at >= scan->buf_at && at + (int64_t)n <= scan->buf_at + (int64_t)scan->buf_n)
		return scan->buf + (at - scan->buf_at);
	got = mq_env_pread(scan->env, scan->file, scan->buf,
			   (size_t)MQ_MIN((int64_t)scan->buf_size, scan->limit - at), at);
	scan->buf_at = at;
	scan->buf_n = got < 0 ? 0 : (size_t)got;
	if (got < 0)
		scan->errnum = (int)-got;
	return got < (int64_t)n ? NULL : scan->buf;
}

mq_err mq_scan_head(struct mq_scan *scan, int64_t at, struct mq_batch *batch)
{
	const uint8_t *data;

	if (at >= scan->limit)
		return MQ_E_END;
	data = mq_scan_bytes(scan, at, MQ_BATCH_HEAD_SIZE);
	if (!data)
		return scan->errnum ? MQ_E_KAFKA_STORAGE_ERROR : MQ_E_CORRUPT_MESSAGE;
	if (mq_batch_parse_head(data, MQ_BATCH_HEAD_SIZE, batch, NULL) != MQ_OK ||
	    (int64_t)batch->size > scan->limit - at)
		return MQ_E_CORRUPT_MESSAGE;
	return MQ_OK;
}

mq_err mq_scan_check_crc(struct mq_scan *scan, int64_t at, const struct mq_batch *batch)
{
	int64_t pos = at + MQ_BATCH_CRC_FROM, end = at + (int64_t)batch->size;
	uint32_t crc = 0;

	while (pos < end) {
		size_t n = (size_t)MQ_MIN((int64_t)scan->buf_size, end - pos);
		const uint8_t *p;

		/* First what is there already, then whole buffers. */
		if (pos >= scan->buf_at && pos < scan->buf_at + (int64_t)scan->buf_n)
			n = MQ_MIN(n, (size_t)(scan->buf_at + (int64_t)scan->buf_n - pos));
		p = mq_scan_bytes(scan, pos, n);
		if (!p)
			return scan->errnum ? MQ_E_KAFKA_STORAGE_ERROR : MQ_E_CORRUPT_MESSAGE;
		crc = mq_crc32c(crc, p, n);
		pos += (int64_t)n;
	}
	return crc == batch->crc ? MQ_OK : MQ_E_CORRUPT_MESSAGE;
}

mq_err mq_scan_control(struct mq_scan *scan, int64_t at, const struct mq_batch *batch,
		       struct mq_control *control)
{
	struct mq_batch whole;
	const uint8_t *data;

	if (batch->record_count == 0)
		return MQ_E_END;
	if (batch->size > scan->buf_size)
		return MQ_E_CORRUPT_MESSAGE;
	data = mq_scan_bytes(scan, at, batch->size);
	if (!data)
		return scan->errnum ? MQ_E_KAFKA_STORAGE_ERROR : MQ_E_CORRUPT_MESSAGE;
	if (mq_batch_parse(data, batch->size, &whole, NULL) != MQ_OK)
		return MQ_E_CORRUPT_MESSAGE;
	return mq_control_parse(&whole, control, NULL);
}

mq_err mq_scan_offset(struct mq_scan *scan, int64_t *at, int64_t offset, struct mq_batch *batch)
{
	int64_t next_offset = INT64_MIN;
	int64_t pos = *at;
	mq_err err;

	for (;;) {
		err = mq_scan_head(scan, pos, batch);
		if (err != MQ_OK)
			break;
		if (batch->base_offset < next_offset) {
			err = MQ_E_CORRUPT_MESSAGE;
			break;
		}
		if (mq_batch_last_offset(batch) >= offset)
			break;
		next_offset = mq_batch_next_offset(batch);
		pos += (int64_t)batch->size;
	}
	*at = pos;
	return err;
}
