/*
 * Every API: its key, its versions, its messages.
 *
 * The versions are those the tables know. Which of them a broker advertises is
 * the broker's business.
 */
#ifndef MQ_PROTOCOL_API_H
#define MQ_PROTOCOL_API_H

#include "protocol/field.h"

/* MQ_APIS(X): X(key, enum name, tag of the messages, Kafka's name) */
#define MQ_APIS(X)                                                                                 \
	X(0, PRODUCE, produce, "Produce")                                                          \
	X(1, FETCH, fetch, "Fetch")                                                                \
	X(2, LIST_OFFSETS, list_offsets, "ListOffsets")                                            \
	X(3, METADATA, metadata, "Metadata")                                                       \
	X(4, LEADER_AND_ISR, leader_and_isr, "LeaderAndIsr")                                       \
	X(5, STOP_REPLICA, stop_replica, "StopReplica")                                            \
	X(6, UPDATE_METADATA, update_metadata, "UpdateMetadata")                                   \
	X(7, CONTROLLED_SHUTDOWN, controlled_shutdown, "ControlledShutdown")                       \
	X(8, OFFSET_COMMIT, offset_commit, "OffsetCommit")                                         \
	X(9, OFFSET_FETCH, offset_fetch, "OffsetFetch")                                            \
	X(10, FIND_COORDINATOR, find_coordinator, "FindCoordinator")                               \
	X(11, JOIN_GROUP, join_group, "JoinGroup")                                                 \
	X(12, HEARTBEAT, heartbeat, "Heartbeat")                                                   \
	X(13, LEAVE_GROUP, leave_group, "LeaveGroup")                                              \
	X(14, SYNC_GROUP, sync_group, "SyncGroup")                                                 \
	X(15, DESCRIBE_GROUPS, describe_groups, "DescribeGroups")                                  \
	X(16, LIST_GROUPS, list_groups, "ListGroups")                                              \
	X(17, SASL_HANDSHAKE, sasl_handshake, "SaslHandshake")                                     \
	X(18, API_VERSIONS, api_versions, "ApiVersions")                                           \
	X(19, CREATE_TOPICS, create_topics, "CreateTopics")                                        \
	X(20, DELETE_TOPICS, delete_topics, "DeleteTopics")                                        \
	X(21, DELETE_RECORDS, delete_records, "DeleteRecords")                                     \
	X(22, INIT_PRODUCER_ID, init_producer_id, "InitProducerId")                                \
	X(23, OFFSET_FOR_LEADER_EPOCH, offset_for_leader_epoch, "OffsetForLeaderEpoch")            \
	X(24, ADD_PARTITIONS_TO_TXN, add_partitions_to_txn, "AddPartitionsToTxn")                  \
	X(25, ADD_OFFSETS_TO_TXN, add_offsets_to_txn, "AddOffsetsToTxn")                           \
	X(26, END_TXN, end_txn, "EndTxn")                                                          \
	X(27, WRITE_TXN_MARKERS, write_txn_markers, "WriteTxnMarkers")                             \
	X(28, TXN_OFFSET_COMMIT, txn_offset_commit, "TxnOffsetCommit")                             \
	X(29, DESCRIBE_ACLS, describe_acls, "DescribeAcls")                                        \
	X(30, CREATE_ACLS, create_acls, "CreateAcls")                                              \
	X(31, DELETE_ACLS, delete_acls, "DeleteAcls")                                              \
	X(32, DESCRIBE_CONFIGS, describe_configs, "DescribeConfigs")                               \
	X(33, ALTER_CONFIGS, alter_configs, "AlterConfigs")                                        \
	X(34, ALTER_REPLICA_LOG_DIRS, alter_replica_log_dirs, "AlterReplicaLogDirs")               \
	X(35, DESCRIBE_LOG_DIRS, describe_log_dirs, "DescribeLogDirs")                             \
	X(36, SASL_AUTHENTICATE, sasl_authenticate, "SaslAuthenticate")                            \
	X(37, CREATE_PARTITIONS, create_partitions, "CreatePartitions")                            \
	X(42, DELETE_GROUPS, delete_groups, "DeleteGroups")                                        \
	X(43, ELECT_LEADERS, elect_leaders, "ElectLeaders")                                        \
	X(44, INCREMENTAL_ALTER_CONFIGS, incremental_alter_configs, "IncrementalAlterConfigs")     \
	X(45, ALTER_PARTITION_REASSIGNMENTS, alter_partition_reassignments,                        \
	  "AlterPartitionReassignments")                                                           \
	X(46, LIST_PARTITION_REASSIGNMENTS, list_partition_reassignments,                          \
	  "ListPartitionReassignments")                                                            \
	X(47, OFFSET_DELETE, offset_delete, "OffsetDelete")                                        \
	X(48, DESCRIBE_CLIENT_QUOTAS, describe_client_quotas, "DescribeClientQuotas")              \
	X(49, ALTER_CLIENT_QUOTAS, alter_client_quotas, "AlterClientQuotas")                       \
	X(50, DESCRIBE_USER_SCRAM_CREDENTIALS, describe_user_scram_credentials,                    \
	  "DescribeUserScramCredentials")                                                          \
	X(51, ALTER_USER_SCRAM_CREDENTIALS, alter_user_scram_credentials,                          \
	  "AlterUserScramCredentials")                                                             \
	X(60, DESCRIBE_CLUSTER, describe_cluster, "DescribeCluster")                               \
	X(61, DESCRIBE_PRODUCERS, describe_producers, "DescribeProducers")                         \
	X(65, DESCRIBE_TRANSACTIONS, describe_transactions, "DescribeTransactions")                \
	X(66, LIST_TRANSACTIONS, list_transactions, "ListTransactions")                            \
	X(75, DESCRIBE_TOPIC_PARTITIONS, describe_topic_partitions, "DescribeTopicPartitions")

enum mq_api_key {
#define MQ_API_KEY(key, name, tag, text) MQ_API_##name = key,
	MQ_APIS(MQ_API_KEY)
#undef MQ_API_KEY
};

/* Greater than every known key. */
#define MQ_API_KEY_END 76

struct mq_api {
	int16_t key;
	int16_t version_min, version_max;
	int16_t flexible_first; /* MQ_ON: never */
	const char *name;
	const struct mq_message *request, *response;
};

/* NULL for a key nobody knows. */
const struct mq_api *mq_api_find(int16_t key);

/* Whether the version of the API is in the tables. */
static inline bool mq_api_has(const struct mq_api *api, int16_t version)
{
	return version >= api->version_min && version <= api->version_max;
}

/* Versions of the headers that go with a version of the API, also one that is
 * not in the tables. */
int16_t mq_api_request_header_version(const struct mq_api *api, int16_t version);
int16_t mq_api_response_header_version(const struct mq_api *api, int16_t version);

#endif
