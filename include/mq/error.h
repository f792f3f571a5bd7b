/*
 * Errors: what every function of libmq returns when it fails, and why.
 *
 * Codes from -1 upwards are Kafka's own, at the values they have on the wire;
 * the library's own begin at -200 and go down. See mq_errors(7).
 */
#ifndef MQ_ERROR_H
#define MQ_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MQ_API __attribute__((visibility("default")))
#define MQ_MUST_CHECK __attribute__((warn_unused_result))
#else
#define MQ_API
#define MQ_MUST_CHECK
#endif

/** The result of a call: MQ_OK or one error. */
typedef enum mq_err {
	MQ_OK = 0,
	MQ_E_UNKNOWN_SERVER_ERROR = -1, /**< The broker failed in an unexpected way. */
	MQ_E_OFFSET_OUT_OF_RANGE = 1, /**< The offset is outside the range the partition holds. */
	MQ_E_CORRUPT_MESSAGE = 2, /**< The record batch is damaged: its checksum, size or fields do not agree. */
	MQ_E_UNKNOWN_TOPIC_OR_PARTITION = 3, /**< The broker does not host this topic and partition. */
	MQ_E_INVALID_FETCH_SIZE = 4, /**< The fetch size is invalid. */
	MQ_E_LEADER_NOT_AVAILABLE = 5, /**< The partition has no leader at the moment. */
	MQ_E_NOT_LEADER_OR_FOLLOWER = 6, /**< The broker is not the leader of this partition. */
	MQ_E_REQUEST_TIMED_OUT = 7, /**< The request was not completed in its time. */
	MQ_E_BROKER_NOT_AVAILABLE = 8, /**< The broker is not available. */
	MQ_E_REPLICA_NOT_AVAILABLE = 9, /**< The replica is not available. */
	MQ_E_MESSAGE_TOO_LARGE = 10, /**< The record batch is larger than the broker accepts. */
	MQ_E_STALE_CONTROLLER_EPOCH = 11, /**< The controller has moved to another broker. */
	MQ_E_OFFSET_METADATA_TOO_LARGE = 12, /**< The metadata of the committed offset is too large. */
	MQ_E_NETWORK_EXCEPTION = 13, /**< The connection broke before the response arrived. */
	MQ_E_COORDINATOR_LOAD_IN_PROGRESS = 14, /**< The coordinator is still loading its state. */
	MQ_E_COORDINATOR_NOT_AVAILABLE = 15, /**< No coordinator is available. */
	MQ_E_NOT_COORDINATOR = 16, /**< This broker is not the coordinator. */
	MQ_E_INVALID_TOPIC_EXCEPTION = 17, /**< The topic name is invalid or the topic may not be used this way. */
	MQ_E_RECORD_LIST_TOO_LARGE = 18, /**< The record batch does not fit into a segment. */
	MQ_E_NOT_ENOUGH_REPLICAS = 19, /**< Too few replicas are in sync for acks=all. */
	MQ_E_NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, /**< The records were appended, but too few replicas are in sync. */
	MQ_E_INVALID_REQUIRED_ACKS = 21, /**< acks is neither -1, 0 nor 1. */
	MQ_E_ILLEGAL_GENERATION = 22, /**< The generation of the group member is not the current one. */
	MQ_E_INCONSISTENT_GROUP_PROTOCOL = 23, /**< The member's protocols do not fit those of the group. */
	MQ_E_INVALID_GROUP_ID = 24, /**< The group id is invalid. */
	MQ_E_UNKNOWN_MEMBER_ID = 25, /**< The coordinator does not know this member. */
	MQ_E_INVALID_SESSION_TIMEOUT = 26, /**< The session timeout is outside the range the broker allows. */
	MQ_E_REBALANCE_IN_PROGRESS = 27, /**< The group is rebalancing. */
	MQ_E_INVALID_COMMIT_OFFSET_SIZE = 28, /**< The offset commit is too large. */
	MQ_E_TOPIC_AUTHORIZATION_FAILED = 29, /**< Not authorized for this topic. */
	MQ_E_GROUP_AUTHORIZATION_FAILED = 30, /**< Not authorized for this group. */
	MQ_E_CLUSTER_AUTHORIZATION_FAILED = 31, /**< Not authorized for the cluster. */
	MQ_E_INVALID_TIMESTAMP = 32, /**< The timestamp of a record is out of the accepted range. */
	MQ_E_UNSUPPORTED_SASL_MECHANISM = 33, /**< The SASL mechanism is not enabled. */
	MQ_E_ILLEGAL_SASL_STATE = 34, /**< The request is not allowed in this state of authentication. */
	MQ_E_UNSUPPORTED_VERSION = 35, /**< The version of the request is not supported. */
	MQ_E_TOPIC_ALREADY_EXISTS = 36, /**< The topic already exists. */
	MQ_E_INVALID_PARTITIONS = 37, /**< The number of partitions is invalid. */
	MQ_E_INVALID_REPLICATION_FACTOR = 38, /**< The replication factor is below 1 or larger than the number of brokers. */
	MQ_E_INVALID_REPLICA_ASSIGNMENT = 39, /**< The replica assignment is invalid. */
	MQ_E_INVALID_CONFIG = 40, /**< The configuration is invalid. */
	MQ_E_NOT_CONTROLLER = 41, /**< This broker is not the controller. */
	MQ_E_INVALID_REQUEST = 42, /**< The request is malformed or contradicts itself. */
	MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT = 43, /**< The message format of the topic does not support this. */
	MQ_E_POLICY_VIOLATION = 44, /**< The request violates a policy. */
	MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER = 45, /**< The sequence number is not the one that comes next. */
	MQ_E_DUPLICATE_SEQUENCE_NUMBER = 46, /**< The sequence number was used before. */
	MQ_E_INVALID_PRODUCER_EPOCH = 47, /**< The producer epoch is older than the current one. */
	MQ_E_INVALID_TXN_STATE = 48, /**< The transaction is not in a state that allows this. */
	MQ_E_INVALID_PRODUCER_ID_MAPPING = 49, /**< The producer id does not belong to this transactional id. */
	MQ_E_INVALID_TRANSACTION_TIMEOUT = 50, /**< The transaction timeout is larger than the broker allows. */
	MQ_E_CONCURRENT_TRANSACTIONS = 51, /**< Another transaction of this producer is still being completed. */
	MQ_E_TRANSACTION_COORDINATOR_FENCED = 52, /**< The transaction coordinator has moved. */
	MQ_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53, /**< Not authorized for this transactional id. */
	MQ_E_SECURITY_DISABLED = 54, /**< No authorizer is configured. */
	MQ_E_OPERATION_NOT_ATTEMPTED = 55, /**< Not attempted, because another part of the request failed. */
	MQ_E_KAFKA_STORAGE_ERROR = 56, /**< The broker could not read or write its disk. */
	MQ_E_LOG_DIR_NOT_FOUND = 57, /**< The log directory does not exist. */
	MQ_E_SASL_AUTHENTICATION_FAILED = 58, /**< Authentication failed. */
	MQ_E_UNKNOWN_PRODUCER_ID = 59, /**< The broker has no state of this producer id. */
	MQ_E_REASSIGNMENT_IN_PROGRESS = 60, /**< A reassignment of partitions is in progress. */
	MQ_E_DELEGATION_TOKEN_AUTH_DISABLED = 61, /**< Delegation tokens are not enabled. */
	MQ_E_DELEGATION_TOKEN_NOT_FOUND = 62, /**< The delegation token does not exist. */
	MQ_E_DELEGATION_TOKEN_OWNER_MISMATCH = 63, /**< The delegation token belongs to somebody else. */
	MQ_E_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64, /**< Delegation tokens are not allowed on this connection. */
	MQ_E_DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65, /**< Not authorized for this delegation token. */
	MQ_E_DELEGATION_TOKEN_EXPIRED = 66, /**< The delegation token has expired. */
	MQ_E_INVALID_PRINCIPAL_TYPE = 67, /**< The type of the principal is not supported. */
	MQ_E_NON_EMPTY_GROUP = 68, /**< The group is not empty. */
	MQ_E_GROUP_ID_NOT_FOUND = 69, /**< The group does not exist. */
	MQ_E_FETCH_SESSION_ID_NOT_FOUND = 70, /**< The fetch session does not exist. */
	MQ_E_INVALID_FETCH_SESSION_EPOCH = 71, /**< The epoch of the fetch session is not the expected one. */
	MQ_E_LISTENER_NOT_FOUND = 72, /**< The leader has no listener of this name. */
	MQ_E_TOPIC_DELETION_DISABLED = 73, /**< Topics may not be deleted: delete.topic.enable is false. */
	MQ_E_FENCED_LEADER_EPOCH = 74, /**< The leader epoch of the request is older than the broker's. */
	MQ_E_UNKNOWN_LEADER_EPOCH = 75, /**< The leader epoch of the request is newer than the broker's. */
	MQ_E_UNSUPPORTED_COMPRESSION_TYPE = 76, /**< The compression type is not supported here. */
	MQ_E_STALE_BROKER_EPOCH = 77, /**< The epoch of the broker has changed. */
	MQ_E_OFFSET_NOT_AVAILABLE = 78, /**< The leader has not caught up to the start of its epoch yet. */
	MQ_E_MEMBER_ID_REQUIRED = 79, /**< The member has to join again with the id it was given. */
	MQ_E_PREFERRED_LEADER_NOT_AVAILABLE = 80, /**< The preferred leader is not available. */
	MQ_E_GROUP_MAX_SIZE_REACHED = 81, /**< The group has as many members as it may have. */
	MQ_E_FENCED_INSTANCE_ID = 82, /**< Another member uses this group instance id. */
	MQ_E_ELIGIBLE_LEADERS_NOT_AVAILABLE = 83, /**< No eligible leader is available. */
	MQ_E_ELECTION_NOT_NEEDED = 84, /**< The partition does not need an election. */
	MQ_E_NO_REASSIGNMENT_IN_PROGRESS = 85, /**< No reassignment of partitions is in progress. */
	MQ_E_GROUP_SUBSCRIBED_TO_TOPIC = 86, /**< The group is subscribed to this topic. */
	MQ_E_INVALID_RECORD = 87, /**< A record breaks a rule of the broker or of the topic. */
	MQ_E_UNSTABLE_OFFSET_COMMIT = 88, /**< Offsets are waiting for a transaction to end. */
	MQ_E_THROTTLING_QUOTA_EXCEEDED = 89, /**< The quota is exceeded. */
	MQ_E_PRODUCER_FENCED = 90, /**< A newer producer uses the same transactional id. */
	MQ_E_RESOURCE_NOT_FOUND = 91, /**< The resource does not exist. */
	MQ_E_DUPLICATE_RESOURCE = 92, /**< The resource is named twice. */
	MQ_E_UNACCEPTABLE_CREDENTIAL = 93, /**< The credential is not acceptable. */
	MQ_E_INCONSISTENT_VOTER_SET = 94, /**< The voter sets differ. */
	MQ_E_INVALID_UPDATE_VERSION = 95, /**< The update has the wrong version. */
	MQ_E_FEATURE_UPDATE_FAILED = 96, /**< The feature could not be updated. */
	MQ_E_PRINCIPAL_DESERIALIZATION_FAILURE = 97, /**< The principal could not be decoded. */
	MQ_E_SNAPSHOT_NOT_FOUND = 98, /**< The snapshot does not exist. */
	MQ_E_POSITION_OUT_OF_RANGE = 99, /**< The position is outside the snapshot. */
	MQ_E_UNKNOWN_TOPIC_ID = 100, /**< The broker does not host a topic of this id. */
	MQ_E_DUPLICATE_BROKER_REGISTRATION = 101, /**< The broker id is in use. */
	MQ_E_BROKER_ID_NOT_REGISTERED = 102, /**< The broker id is not registered. */
	MQ_E_INCONSISTENT_TOPIC_ID = 103, /**< The topic id is not the one the broker knows. */
	MQ_E_INCONSISTENT_CLUSTER_ID = 104, /**< The cluster id is not the one the broker knows. */
	MQ_E_TRANSACTIONAL_ID_NOT_FOUND = 105, /**< The transactional id does not exist. */
	MQ_E_FETCH_SESSION_TOPIC_ID_ERROR = 106, /**< The fetch session mixes topic names and topic ids. */
	MQ_E_INELIGIBLE_REPLICA = 107, /**< The replica may not join the in-sync replicas. */
	MQ_E_NEW_LEADER_ELECTED = 108, /**< A new leader was elected meanwhile. */
	MQ_E_OFFSET_MOVED_TO_TIERED_STORAGE = 109, /**< The offset is in tiered storage. */
	MQ_E_FENCED_MEMBER_EPOCH = 110, /**< The epoch of the member is not the current one. */
	MQ_E_UNRELEASED_INSTANCE_ID = 111, /**< The instance id is still in use. */
	MQ_E_UNSUPPORTED_ASSIGNOR = 112, /**< The assignor is not supported. */
	MQ_E_STALE_MEMBER_EPOCH = 113, /**< The epoch of the member is stale. */
	MQ_E_MISMATCHED_ENDPOINT_TYPE = 114, /**< The request was sent to the wrong kind of listener. */
	MQ_E_UNSUPPORTED_ENDPOINT_TYPE = 115, /**< This kind of listener is not supported. */
	MQ_E_UNKNOWN_CONTROLLER_ID = 116, /**< The controller id is unknown. */
	MQ_E_UNKNOWN_SUBSCRIPTION_ID = 117, /**< The telemetry subscription is unknown. */
	MQ_E_TELEMETRY_TOO_LARGE = 118, /**< The telemetry is too large. */
	MQ_E_INVALID_REGISTRATION = 119, /**< The registration is invalid. */
	MQ_E_TRANSACTION_ABORTABLE = 120, /**< The transaction has to be aborted. */
	MQ_E_NOMEM = -200, /**< Out of memory. */
	MQ_E_ARG = -201, /**< An argument is invalid. */
	MQ_E_CONFIG = -202, /**< The configuration is invalid. */
	MQ_E_IO = -203, /**< Reading or writing a file failed. */
	MQ_E_NOSPC = -204, /**< The disk is full. */
	MQ_E_LOCKED = -205, /**< Another process uses the directory. */
	MQ_E_FOREIGN = -206, /**< The directory belongs to something else. */
	MQ_E_CORRUPT = -207, /**< The data is damaged. */
	MQ_E_TIMED_OUT = -208, /**< The deadline passed. */
	MQ_E_CLOSED = -209, /**< The object is closed or closing. */
	MQ_E_DNS = -210, /**< The host name could not be resolved. */
	MQ_E_CONNECT = -211, /**< The connection could not be made. */
	MQ_E_DISCONNECTED = -212, /**< The connection broke. */
	MQ_E_TLS = -213, /**< The TLS handshake failed. */
	MQ_E_PROTOCOL = -214, /**< The peer broke the protocol. */
	MQ_E_UNSUPPORTED = -215, /**< Not supported by this build or by the peer. */
	MQ_E_FULL = -216, /**< A bounded buffer or queue is full. */
	MQ_E_TOO_BIG = -217, /**< Larger than the limit. */
	MQ_E_NOT_FOUND = -218, /**< It does not exist. */
	MQ_E_EXISTS = -219, /**< It exists already. */
	MQ_E_END = -220, /**< Nothing is left. */
	MQ_E_STATE = -221, /**< Not allowed in this state. */
	MQ_E_FORKED = -222, /**< The process was forked after the object was made. */
	MQ_E_NEWER_FORMAT = -223, /**< The file was written by a newer version. */
	MQ_E_SYSTEM = -224, /**< A system call failed. */
	MQ_E_PURGED = -225, /**< The application gave the record up. */
	MQ_E_WOKEN = -226, /**< Another thread has ended the wait. */
	MQ_E_NO_OFFSET = -227, /**< The partition has no offset to begin at, and auto.offset.reset is none. */
	MQ_E_LOG_TRUNCATED = -228, /**< The log was cut below the position. */
} mq_err;

/** Room for the text of an error, its final NUL included. */
#define MQ_ERROR_TEXT_MAX 512

/** What to do about the error of a call that has to do with a transaction. */
typedef enum mq_error_kind {
	MQ_ERROR_PLAIN,     /**< nothing was begun; the transaction is as it was */
	MQ_ERROR_RETRIABLE, /**< it goes on: the same call again waits for its end */
	MQ_ERROR_ABORTABLE, /**< the transaction has to be aborted; then a new one may begin */
	MQ_ERROR_FATAL,     /**< the producer is of no use any more and is to be freed */
} mq_error_kind;

/**
 * An error with its cause in words. A plain value of the caller's: pass its
 * address where a function takes one, or NULL to do without the words. It is
 * written only when the call fails.
 */
typedef struct mq_error {
	mq_err code;
	char text[MQ_ERROR_TEXT_MAX];
	int32_t kind; /**< mq_error_kind, of calls that have to do with a transaction */
} mq_error;

/**
 * The name of an error as Kafka spells it, such as "NOT_LEADER_OR_FOLLOWER".
 * Thread: any. Memory: static. Errors: "UNKNOWN" for a code nobody knows.
 */
MQ_API const char *mq_err_name(mq_err code);

/** One sentence for an error. Thread: any. Memory: static. */
MQ_API const char *mq_err_text(mq_err code);

/** Whether the same call may succeed when it is repeated later. Thread: any. */
MQ_API bool mq_err_retriable(mq_err code);

#ifdef __cplusplus
}
#endif

#endif
