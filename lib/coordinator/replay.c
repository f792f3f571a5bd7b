/* From bytes back to records: a committed batch is given to the state machine. */
#include <inttypes.h>

#include "base/arena.h"
#include "base/buf.h"
#include "coordinator/runtime_impl.h"
#include "protocol/wire.h"
#include "record/records.h"

/* What one batch may decompress to; coordinators write far smaller ones. */
#define PLAIN_BYTES_MAX (64u << 20)

static mq_err replay_marker(struct mq_coord *coord, const struct mq_batch *batch)
{
	struct mq_replay_marker marker = {
	    .producer_id = batch->producer_id,
	    .producer_epoch = batch->producer_epoch,
	    .offset = batch->base_offset,
	};
	struct mq_control control;
	mq_err err = mq_control_parse(batch, &control, NULL);

	if (err)
		return MQ_E_CORRUPT_MESSAGE;
	if (!coord->rt->args.ops->marker ||
	    (control.type != MQ_CONTROL_COMMIT && control.type != MQ_CONTROL_ABORT))
		return MQ_OK;
	marker.commit = control.type == MQ_CONTROL_COMMIT;
	marker.coordinator_epoch = control.coordinator_epoch;
	return coord->rt->args.ops->marker(coord->state, &marker);
}

mq_err mq_coord_replay(struct mq_coord *coord, const struct mq_batch *batch,
		       struct mq_codec_scratch *scratch)
{
	bool txn = mq_batch_is_transactional(batch);
	struct mq_record_iter it;
	struct mq_record_view record;
	mq_err err;

	if (mq_batch_is_control(batch))
		return replay_marker(coord, batch);
	err = mq_record_iter_init(&it, batch, scratch, PLAIN_BYTES_MAX, NULL);
	while (!err && !(err = mq_record_iter_next(&it, &record))) {
		struct mq_replay replay = {
		    .key = record.key,
		    .value = record.value,
		    .offset = record.offset,
		    .timestamp = record.timestamp,
		    .producer_id = txn ? batch->producer_id : MQ_NO_PRODUCER_ID,
		    .producer_epoch = txn ? batch->producer_epoch : MQ_NO_PRODUCER_EPOCH,
		};

		err = coord->rt->args.ops->replay(coord->state, &replay);
	}
	if (err == MQ_E_END)
		return MQ_OK;
	return err == MQ_E_NOMEM ? err : MQ_E_CORRUPT_MESSAGE;
}

int16_t mq_record_version(mq_bytes data)
{
	return data.data && data.size >= 2 ? (int16_t)mq_get16(data.data) : -1;
}

mq_err mq_record_decode(const struct mq_message *message, mq_bytes data, struct mq_arena *arena,
			void *out)
{
	struct mq_cursor in;

	if (data.size < 2)
		return MQ_E_PROTOCOL;
	mq_cursor_init(&in, (const uint8_t *)data.data + 2, data.size - 2);
	return mq_message_decode(message, mq_record_version(data), &in, arena, out, NULL);
}
