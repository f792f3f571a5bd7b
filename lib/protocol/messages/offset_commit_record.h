/* The records of committed offsets in __consumer_offsets. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_OFFSET_COMMIT_RECORD_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_OFFSET_COMMIT_RECORD_H

/* clang-format off */
#define MQ_OFFSET_COMMIT_KEY(X, T) \
	X(T, ONE, STRING, group, 0, 1) \
	X(T, ONE, STRING, topic, 0, 1) \
	X(T, ONE, INT32, partition, 0, 1)
MQ_MESSAGE(mq_offset_commit_key, "OffsetCommitKey", 0, 1, MQ_ON, MQ_OFFSET_COMMIT_KEY)

#define MQ_OFFSET_COMMIT_VALUE(X, T) \
	X(T, ONE, INT64, offset, 0, MQ_ON) \
	X(T, ONE, INT32, leader_epoch, 3, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, STRING, metadata, 0, MQ_ON) \
	X(T, ONE, INT64, commit_timestamp, 0, MQ_ON) \
	X(T, ONE, INT64, expire_timestamp, 1, 1, MQ_DEFAULT(-1), MQ_IGNORABLE)
MQ_MESSAGE(mq_offset_commit_value, "OffsetCommitValue", 0, 4, 4, MQ_OFFSET_COMMIT_VALUE)
/* clang-format on */

#endif
