/* The metadata that members of protocol type "consumer" exchange through their group. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_CONSUMER_PROTOCOL_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_CONSUMER_PROTOCOL_H

/* clang-format off */
#define MQ_CONSUMER_PROTOCOL_ASSIGNMENT_TOPIC_PARTITION(X, T) \
	X(T, ONE, STRING, topic, 0, MQ_ON) \
	X(T, ARRAY, INT32, partitions, 0, MQ_ON)
MQ_STRUCT(mq_consumer_protocol_assignment_topic_partition, MQ_CONSUMER_PROTOCOL_ASSIGNMENT_TOPIC_PARTITION)

#define MQ_CONSUMER_PROTOCOL_ASSIGNMENT(X, T) \
	X(T, STRUCTS, mq_consumer_protocol_assignment_topic_partition, assigned_partitions, 0, MQ_ON) \
	X(T, ONE, BYTES, user_data, 0, MQ_ON, MQ_NULLABLE(0), MQ_DEFAULT_NULL)
MQ_MESSAGE(mq_consumer_protocol_assignment, "ConsumerProtocolAssignment", 0, 3, MQ_ON, MQ_CONSUMER_PROTOCOL_ASSIGNMENT)

#define MQ_CONSUMER_PROTOCOL_SUBSCRIPTION_TOPIC_PARTITION(X, T) \
	X(T, ONE, STRING, topic, 1, MQ_ON) \
	X(T, ARRAY, INT32, partitions, 1, MQ_ON)
MQ_STRUCT(mq_consumer_protocol_subscription_topic_partition, MQ_CONSUMER_PROTOCOL_SUBSCRIPTION_TOPIC_PARTITION)

#define MQ_CONSUMER_PROTOCOL_SUBSCRIPTION(X, T) \
	X(T, ARRAY, STRING, topics, 0, MQ_ON) \
	X(T, ONE, BYTES, user_data, 0, MQ_ON, MQ_NULLABLE(0), MQ_DEFAULT_NULL) \
	X(T, STRUCTS, mq_consumer_protocol_subscription_topic_partition, owned_partitions, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT32, generation_id, 2, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, STRING, rack_id, 3, MQ_ON, MQ_NULLABLE(3), MQ_DEFAULT_NULL, MQ_IGNORABLE)
MQ_MESSAGE(mq_consumer_protocol_subscription, "ConsumerProtocolSubscription", 0, 3, MQ_ON, MQ_CONSUMER_PROTOCOL_SUBSCRIPTION)
/* clang-format on */

#endif
