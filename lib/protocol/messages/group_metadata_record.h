/* The records of groups in __consumer_offsets. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_GROUP_METADATA_RECORD_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_GROUP_METADATA_RECORD_H

/* clang-format off */
#define MQ_GROUP_METADATA_KEY(X, T) \
	X(T, ONE, STRING, group, 2, 2)
MQ_MESSAGE(mq_group_metadata_key, "GroupMetadataKey", 2, 2, MQ_ON, MQ_GROUP_METADATA_KEY)

#define MQ_GROUP_METADATA_VALUE_MEMBER(X, T) \
	X(T, ONE, STRING, member_id, 0, MQ_ON) \
	X(T, ONE, STRING, group_instance_id, 3, MQ_ON, MQ_NULLABLE(3), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, ONE, STRING, client_id, 0, MQ_ON) \
	X(T, ONE, STRING, client_host, 0, MQ_ON) \
	X(T, ONE, INT32, rebalance_timeout, 1, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT32, session_timeout, 0, MQ_ON) \
	X(T, ONE, BYTES, subscription, 0, MQ_ON) \
	X(T, ONE, BYTES, assignment, 0, MQ_ON)
MQ_STRUCT(mq_group_metadata_value_member, MQ_GROUP_METADATA_VALUE_MEMBER)

#define MQ_GROUP_METADATA_VALUE(X, T) \
	X(T, ONE, STRING, protocol_type, 0, MQ_ON) \
	X(T, ONE, INT32, generation, 0, MQ_ON) \
	X(T, ONE, STRING, protocol, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, STRING, leader, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, INT64, current_state_timestamp, 2, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, STRUCTS, mq_group_metadata_value_member, members, 0, MQ_ON)
MQ_MESSAGE(mq_group_metadata_value, "GroupMetadataValue", 0, 4, 4, MQ_GROUP_METADATA_VALUE)
/* clang-format on */

#endif
