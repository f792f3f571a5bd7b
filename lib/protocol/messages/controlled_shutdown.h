/* ControlledShutdown, API 7. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_CONTROLLED_SHUTDOWN_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_CONTROLLED_SHUTDOWN_H

/* clang-format off */
#define MQ_CONTROLLED_SHUTDOWN_REQUEST(X, T) \
	X(T, ONE, INT32, broker_id, 0, MQ_ON) \
	X(T, ONE, INT64, broker_epoch, 2, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE)
MQ_MESSAGE(mq_controlled_shutdown_request, "ControlledShutdownRequest", 0, 3, 3, MQ_CONTROLLED_SHUTDOWN_REQUEST)

#define MQ_CONTROLLED_SHUTDOWN_RESPONSE_REMAINING_PARTITION(X, T) \
	X(T, ONE, STRING, topic_name, 0, MQ_ON) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON)
MQ_STRUCT(mq_controlled_shutdown_response_remaining_partition, MQ_CONTROLLED_SHUTDOWN_RESPONSE_REMAINING_PARTITION)

#define MQ_CONTROLLED_SHUTDOWN_RESPONSE(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, STRUCTS, mq_controlled_shutdown_response_remaining_partition, remaining_partitions, 0, MQ_ON)
MQ_MESSAGE(mq_controlled_shutdown_response, "ControlledShutdownResponse", 0, 3, 3, MQ_CONTROLLED_SHUTDOWN_RESPONSE)
/* clang-format on */

#endif
