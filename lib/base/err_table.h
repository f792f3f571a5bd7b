/*
 * Every error: MQ_ERR(name, code, flags, text). Codes from -1 to 200 are
 * Kafka's, at their wire values; those at -200 and below are the library's own.
 *
 * Flags: R the same call may succeed later, M cached metadata is stale.
 */
#ifndef MQ_BASE_ERR_TABLE_H
#define MQ_BASE_ERR_TABLE_H

#define MQ_ERR_TABLE(MQ_ERR) \
	MQ_ERR(UNKNOWN_SERVER_ERROR, -1, 0, "The broker failed in an unexpected way") \
	MQ_ERR(NONE, 0, 0, "Success") \
	MQ_ERR(OFFSET_OUT_OF_RANGE, 1, 0, "The offset is outside the range the partition holds") \
	MQ_ERR(CORRUPT_MESSAGE, 2, MQ_EF_R, "The record batch is damaged: its checksum, size or fields do not agree") \
	MQ_ERR(UNKNOWN_TOPIC_OR_PARTITION, 3, MQ_EF_R | MQ_EF_M, "The broker does not host this topic and partition") \
	MQ_ERR(INVALID_FETCH_SIZE, 4, 0, "The fetch size is invalid") \
	MQ_ERR(LEADER_NOT_AVAILABLE, 5, MQ_EF_R | MQ_EF_M, "The partition has no leader at the moment") \
	MQ_ERR(NOT_LEADER_OR_FOLLOWER, 6, MQ_EF_R | MQ_EF_M, "The broker is not the leader of this partition") \
	MQ_ERR(REQUEST_TIMED_OUT, 7, MQ_EF_R, "The request was not completed in its time") \
	MQ_ERR(BROKER_NOT_AVAILABLE, 8, 0, "The broker is not available") \
	MQ_ERR(REPLICA_NOT_AVAILABLE, 9, MQ_EF_R | MQ_EF_M, "The replica is not available") \
	MQ_ERR(MESSAGE_TOO_LARGE, 10, 0, "The record batch is larger than the broker accepts") \
	MQ_ERR(STALE_CONTROLLER_EPOCH, 11, 0, "The controller has moved to another broker") \
	MQ_ERR(OFFSET_METADATA_TOO_LARGE, 12, 0, "The metadata of the committed offset is too large") \
	MQ_ERR(NETWORK_EXCEPTION, 13, MQ_EF_R | MQ_EF_M, "The connection broke before the response arrived") \
	MQ_ERR(COORDINATOR_LOAD_IN_PROGRESS, 14, MQ_EF_R, "The coordinator is still loading its state") \
	MQ_ERR(COORDINATOR_NOT_AVAILABLE, 15, MQ_EF_R, "No coordinator is available") \
	MQ_ERR(NOT_COORDINATOR, 16, MQ_EF_R, "This broker is not the coordinator") \
	MQ_ERR(INVALID_TOPIC_EXCEPTION, 17, 0, "The topic name is invalid or the topic may not be used this way") \
	MQ_ERR(RECORD_LIST_TOO_LARGE, 18, 0, "The record batch does not fit into a segment") \
	MQ_ERR(NOT_ENOUGH_REPLICAS, 19, MQ_EF_R | MQ_EF_M, "Too few replicas are in sync for acks=all") \
	MQ_ERR(NOT_ENOUGH_REPLICAS_AFTER_APPEND, 20, MQ_EF_R | MQ_EF_M, "The records were appended, but too few replicas are in sync") \
	MQ_ERR(INVALID_REQUIRED_ACKS, 21, 0, "acks is neither -1, 0 nor 1") \
	MQ_ERR(ILLEGAL_GENERATION, 22, 0, "The generation of the group member is not the current one") \
	MQ_ERR(INCONSISTENT_GROUP_PROTOCOL, 23, 0, "The member's protocols do not fit those of the group") \
	MQ_ERR(INVALID_GROUP_ID, 24, 0, "The group id is invalid") \
	MQ_ERR(UNKNOWN_MEMBER_ID, 25, 0, "The coordinator does not know this member") \
	MQ_ERR(INVALID_SESSION_TIMEOUT, 26, 0, "The session timeout is outside the range the broker allows") \
	MQ_ERR(REBALANCE_IN_PROGRESS, 27, 0, "The group is rebalancing") \
	MQ_ERR(INVALID_COMMIT_OFFSET_SIZE, 28, 0, "The offset commit is too large") \
	MQ_ERR(TOPIC_AUTHORIZATION_FAILED, 29, 0, "Not authorized for this topic") \
	MQ_ERR(GROUP_AUTHORIZATION_FAILED, 30, 0, "Not authorized for this group") \
	MQ_ERR(CLUSTER_AUTHORIZATION_FAILED, 31, 0, "Not authorized for the cluster") \
	MQ_ERR(INVALID_TIMESTAMP, 32, 0, "The timestamp of a record is out of the accepted range") \
	MQ_ERR(UNSUPPORTED_SASL_MECHANISM, 33, 0, "The SASL mechanism is not enabled") \
	MQ_ERR(ILLEGAL_SASL_STATE, 34, 0, "The request is not allowed in this state of authentication") \
	MQ_ERR(UNSUPPORTED_VERSION, 35, 0, "The version of the request is not supported") \
	MQ_ERR(TOPIC_ALREADY_EXISTS, 36, 0, "The topic already exists") \
	MQ_ERR(INVALID_PARTITIONS, 37, 0, "The number of partitions is invalid") \
	MQ_ERR(INVALID_REPLICATION_FACTOR, 38, 0, "The replication factor is below 1 or larger than the number of brokers") \
	MQ_ERR(INVALID_REPLICA_ASSIGNMENT, 39, 0, "The replica assignment is invalid") \
	MQ_ERR(INVALID_CONFIG, 40, 0, "The configuration is invalid") \
	MQ_ERR(NOT_CONTROLLER, 41, MQ_EF_R | MQ_EF_M, "This broker is not the controller") \
	MQ_ERR(INVALID_REQUEST, 42, 0, "The request is malformed or contradicts itself") \
	MQ_ERR(UNSUPPORTED_FOR_MESSAGE_FORMAT, 43, 0, "The message format of the topic does not support this") \
	MQ_ERR(POLICY_VIOLATION, 44, 0, "The request violates a policy") \
	MQ_ERR(OUT_OF_ORDER_SEQUENCE_NUMBER, 45, 0, "The sequence number is not the one that comes next") \
	MQ_ERR(DUPLICATE_SEQUENCE_NUMBER, 46, 0, "The sequence number was used before") \
	MQ_ERR(INVALID_PRODUCER_EPOCH, 47, 0, "The producer epoch is older than the current one") \
	MQ_ERR(INVALID_TXN_STATE, 48, 0, "The transaction is not in a state that allows this") \
	MQ_ERR(INVALID_PRODUCER_ID_MAPPING, 49, 0, "The producer id does not belong to this transactional id") \
	MQ_ERR(INVALID_TRANSACTION_TIMEOUT, 50, 0, "The transaction timeout is larger than the broker allows") \
	MQ_ERR(CONCURRENT_TRANSACTIONS, 51, MQ_EF_R, "Another transaction of this producer is still being completed") \
	MQ_ERR(TRANSACTION_COORDINATOR_FENCED, 52, 0, "The transaction coordinator has moved") \
	MQ_ERR(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 53, 0, "Not authorized for this transactional id") \
	MQ_ERR(SECURITY_DISABLED, 54, 0, "No authorizer is configured") \
	MQ_ERR(OPERATION_NOT_ATTEMPTED, 55, 0, "Not attempted, because another part of the request failed") \
	MQ_ERR(KAFKA_STORAGE_ERROR, 56, MQ_EF_R | MQ_EF_M, "The broker could not read or write its disk") \
	MQ_ERR(LOG_DIR_NOT_FOUND, 57, 0, "The log directory does not exist") \
	MQ_ERR(SASL_AUTHENTICATION_FAILED, 58, 0, "Authentication failed") \
	MQ_ERR(UNKNOWN_PRODUCER_ID, 59, 0, "The broker has no state of this producer id") \
	MQ_ERR(REASSIGNMENT_IN_PROGRESS, 60, 0, "A reassignment of partitions is in progress") \
	MQ_ERR(DELEGATION_TOKEN_AUTH_DISABLED, 61, 0, "Delegation tokens are not enabled") \
	MQ_ERR(DELEGATION_TOKEN_NOT_FOUND, 62, 0, "The delegation token does not exist") \
	MQ_ERR(DELEGATION_TOKEN_OWNER_MISMATCH, 63, 0, "The delegation token belongs to somebody else") \
	MQ_ERR(DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, 64, 0, "Delegation tokens are not allowed on this connection") \
	MQ_ERR(DELEGATION_TOKEN_AUTHORIZATION_FAILED, 65, 0, "Not authorized for this delegation token") \
	MQ_ERR(DELEGATION_TOKEN_EXPIRED, 66, 0, "The delegation token has expired") \
	MQ_ERR(INVALID_PRINCIPAL_TYPE, 67, 0, "The type of the principal is not supported") \
	MQ_ERR(NON_EMPTY_GROUP, 68, 0, "The group is not empty") \
	MQ_ERR(GROUP_ID_NOT_FOUND, 69, 0, "The group does not exist") \
	MQ_ERR(FETCH_SESSION_ID_NOT_FOUND, 70, MQ_EF_R, "The fetch session does not exist") \
	MQ_ERR(INVALID_FETCH_SESSION_EPOCH, 71, MQ_EF_R, "The epoch of the fetch session is not the expected one") \
	MQ_ERR(LISTENER_NOT_FOUND, 72, MQ_EF_R | MQ_EF_M, "The leader has no listener of this name") \
	MQ_ERR(TOPIC_DELETION_DISABLED, 73, 0, "Topics may not be deleted: delete.topic.enable is false") \
	MQ_ERR(FENCED_LEADER_EPOCH, 74, MQ_EF_R | MQ_EF_M, "The leader epoch of the request is older than the broker's") \
	MQ_ERR(UNKNOWN_LEADER_EPOCH, 75, MQ_EF_R | MQ_EF_M, "The leader epoch of the request is newer than the broker's") \
	MQ_ERR(UNSUPPORTED_COMPRESSION_TYPE, 76, 0, "The compression type is not supported here") \
	MQ_ERR(STALE_BROKER_EPOCH, 77, 0, "The epoch of the broker has changed") \
	MQ_ERR(OFFSET_NOT_AVAILABLE, 78, MQ_EF_R | MQ_EF_M, "The leader has not caught up to the start of its epoch yet") \
	MQ_ERR(MEMBER_ID_REQUIRED, 79, 0, "The member has to join again with the id it was given") \
	MQ_ERR(PREFERRED_LEADER_NOT_AVAILABLE, 80, MQ_EF_R | MQ_EF_M, "The preferred leader is not available") \
	MQ_ERR(GROUP_MAX_SIZE_REACHED, 81, 0, "The group has as many members as it may have") \
	MQ_ERR(FENCED_INSTANCE_ID, 82, 0, "Another member uses this group instance id") \
	MQ_ERR(ELIGIBLE_LEADERS_NOT_AVAILABLE, 83, MQ_EF_R | MQ_EF_M, "No eligible leader is available") \
	MQ_ERR(ELECTION_NOT_NEEDED, 84, MQ_EF_R | MQ_EF_M, "The partition does not need an election") \
	MQ_ERR(NO_REASSIGNMENT_IN_PROGRESS, 85, 0, "No reassignment of partitions is in progress") \
	MQ_ERR(GROUP_SUBSCRIBED_TO_TOPIC, 86, 0, "The group is subscribed to this topic") \
	MQ_ERR(INVALID_RECORD, 87, 0, "A record breaks a rule of the broker or of the topic") \
	MQ_ERR(UNSTABLE_OFFSET_COMMIT, 88, MQ_EF_R, "Offsets are waiting for a transaction to end") \
	MQ_ERR(THROTTLING_QUOTA_EXCEEDED, 89, MQ_EF_R, "The quota is exceeded") \
	MQ_ERR(PRODUCER_FENCED, 90, 0, "A newer producer uses the same transactional id") \
	MQ_ERR(RESOURCE_NOT_FOUND, 91, 0, "The resource does not exist") \
	MQ_ERR(DUPLICATE_RESOURCE, 92, 0, "The resource is named twice") \
	MQ_ERR(UNACCEPTABLE_CREDENTIAL, 93, 0, "The credential is not acceptable") \
	MQ_ERR(INCONSISTENT_VOTER_SET, 94, 0, "The voter sets differ") \
	MQ_ERR(INVALID_UPDATE_VERSION, 95, 0, "The update has the wrong version") \
	MQ_ERR(FEATURE_UPDATE_FAILED, 96, 0, "The feature could not be updated") \
	MQ_ERR(PRINCIPAL_DESERIALIZATION_FAILURE, 97, 0, "The principal could not be decoded") \
	MQ_ERR(SNAPSHOT_NOT_FOUND, 98, 0, "The snapshot does not exist") \
	MQ_ERR(POSITION_OUT_OF_RANGE, 99, 0, "The position is outside the snapshot") \
	MQ_ERR(UNKNOWN_TOPIC_ID, 100, MQ_EF_R | MQ_EF_M, "The broker does not host a topic of this id") \
	MQ_ERR(DUPLICATE_BROKER_REGISTRATION, 101, 0, "The broker id is in use") \
	MQ_ERR(BROKER_ID_NOT_REGISTERED, 102, 0, "The broker id is not registered") \
	MQ_ERR(INCONSISTENT_TOPIC_ID, 103, MQ_EF_R | MQ_EF_M, "The topic id is not the one the broker knows") \
	MQ_ERR(INCONSISTENT_CLUSTER_ID, 104, 0, "The cluster id is not the one the broker knows") \
	MQ_ERR(TRANSACTIONAL_ID_NOT_FOUND, 105, 0, "The transactional id does not exist") \
	MQ_ERR(FETCH_SESSION_TOPIC_ID_ERROR, 106, MQ_EF_R, "The fetch session mixes topic names and topic ids") \
	MQ_ERR(INELIGIBLE_REPLICA, 107, 0, "The replica may not join the in-sync replicas") \
	MQ_ERR(NEW_LEADER_ELECTED, 108, 0, "A new leader was elected meanwhile") \
	MQ_ERR(OFFSET_MOVED_TO_TIERED_STORAGE, 109, 0, "The offset is in tiered storage") \
	MQ_ERR(FENCED_MEMBER_EPOCH, 110, 0, "The epoch of the member is not the current one") \
	MQ_ERR(UNRELEASED_INSTANCE_ID, 111, 0, "The instance id is still in use") \
	MQ_ERR(UNSUPPORTED_ASSIGNOR, 112, 0, "The assignor is not supported") \
	MQ_ERR(STALE_MEMBER_EPOCH, 113, 0, "The epoch of the member is stale") \
	MQ_ERR(MISMATCHED_ENDPOINT_TYPE, 114, 0, "The request was sent to the wrong kind of listener") \
	MQ_ERR(UNSUPPORTED_ENDPOINT_TYPE, 115, 0, "This kind of listener is not supported") \
	MQ_ERR(UNKNOWN_CONTROLLER_ID, 116, 0, "The controller id is unknown") \
	MQ_ERR(UNKNOWN_SUBSCRIPTION_ID, 117, 0, "The telemetry subscription is unknown") \
	MQ_ERR(TELEMETRY_TOO_LARGE, 118, 0, "The telemetry is too large") \
	MQ_ERR(INVALID_REGISTRATION, 119, 0, "The registration is invalid") \
	MQ_ERR(TRANSACTION_ABORTABLE, 120, 0, "The transaction has to be aborted") \
	MQ_ERR(NOMEM, -200, 0, "Out of memory") \
	MQ_ERR(ARG, -201, 0, "An argument is invalid") \
	MQ_ERR(CONFIG, -202, 0, "The configuration is invalid") \
	MQ_ERR(IO, -203, 0, "Reading or writing a file failed") \
	MQ_ERR(NOSPC, -204, MQ_EF_R, "The disk is full") \
	MQ_ERR(LOCKED, -205, 0, "Another process uses the directory") \
	MQ_ERR(FOREIGN, -206, 0, "The directory belongs to something else") \
	MQ_ERR(CORRUPT, -207, 0, "The data is damaged") \
	MQ_ERR(TIMED_OUT, -208, MQ_EF_R, "The deadline passed") \
	MQ_ERR(CLOSED, -209, 0, "The object is closed or closing") \
	MQ_ERR(DNS, -210, MQ_EF_R, "The host name could not be resolved") \
	MQ_ERR(CONNECT, -211, MQ_EF_R, "The connection could not be made") \
	MQ_ERR(DISCONNECTED, -212, MQ_EF_R, "The connection broke") \
	MQ_ERR(TLS, -213, 0, "The TLS handshake failed") \
	MQ_ERR(PROTOCOL, -214, 0, "The peer broke the protocol") \
	MQ_ERR(UNSUPPORTED, -215, 0, "Not supported by this build or by the peer") \
	MQ_ERR(FULL, -216, MQ_EF_R, "A bounded buffer or queue is full") \
	MQ_ERR(TOO_BIG, -217, 0, "Larger than the limit") \
	MQ_ERR(NOT_FOUND, -218, 0, "It does not exist") \
	MQ_ERR(EXISTS, -219, 0, "It exists already") \
	MQ_ERR(END, -220, 0, "Nothing is left") \
	MQ_ERR(STATE, -221, 0, "Not allowed in this state") \
	MQ_ERR(FORKED, -222, 0, "The process was forked after the object was made") \
	MQ_ERR(NEWER_FORMAT, -223, 0, "The file was written by a newer version") \
	MQ_ERR(SYSTEM, -224, 0, "A system call failed") \
	MQ_ERR(PURGED, -225, 0, "The application gave the record up") \
	MQ_ERR(WOKEN, -226, 0, "Another thread has ended the wait") \
	MQ_ERR(NO_OFFSET, -227, 0, "The partition has no offset to begin at, and auto.offset.reset is none") \
	MQ_ERR(LOG_TRUNCATED, -228, 0, "The log was cut below the position")

#endif
