/*
 * The keys from replica to z, in order of their names; conf_table.c says what the
 * columns are. Names, types, defaults and ranges are those of Apache Kafka 3.9.
 */
/* clang-format off */
KNOWN("sasl.client.callback.handler.class", B | A | P | C, CLASS, NULL, LOW, HIGH, NULL,
	"Class that gives a client's credentials.", NULL)
KNOWN("sasl.enabled.mechanisms", B, LIST, "GSSAPI", LOW, HIGH, NULL,
	"SASL mechanisms a listener offers.", NULL)
KNOWN("sasl.jaas.config", B | A | P | C, PASSWORD, NULL, LOW, HIGH, NULL, "Credentials and login module.",
	NULL)
KNOWN("sasl.kerberos.kinit.cmd", B | A | P | C, STRING, "/usr/bin/kinit", LOW, HIGH, NULL,
	"Path of the kinit command.", NULL)
KNOWN("sasl.kerberos.min.time.before.relogin", B | A | P | C, LONG, "60000", LOW, HIGH, NULL,
	"Pause between attempts to refresh a Kerberos ticket.", NULL)
KNOWN("sasl.kerberos.principal.to.local.rules", B, LIST, "DEFAULT", LOW, HIGH, NULL,
	"How Kerberos principals become user names.", NULL)
KNOWN("sasl.kerberos.service.name", B | A | P | C, STRING, NULL, LOW, HIGH, NULL,
	"Kerberos name of the brokers.", NULL)
KNOWN("sasl.kerberos.ticket.renew.jitter", B | A | P | C, DOUBLE, "0.05", LOW, HIGH, NULL,
	"Share by which the time of a ticket's renewal varies.", NULL)
KNOWN("sasl.kerberos.ticket.renew.window.factor", B | A | P | C, DOUBLE, "0.8", LOW, HIGH, NULL,
	"Share of a ticket's life after which it is renewed.", NULL)
KNOWN("sasl.login.callback.handler.class", B | A | P | C, CLASS, NULL, LOW, HIGH, NULL,
	"Class that gives credentials at login.", NULL)
KNOWN("sasl.login.class", B | A | P | C, CLASS, NULL, LOW, HIGH, NULL, "Class that logs in.", NULL)
KNOWN("sasl.login.connect.timeout.ms", B | A | P | C, INT, NULL, LOW, HIGH, NULL,
	"Longest wait for a connection to the identity provider.", NULL)
KNOWN("sasl.login.read.timeout.ms", B | A | P | C, INT, NULL, LOW, HIGH, NULL,
	"Longest wait for the identity provider.", NULL)
KNOWN("sasl.login.refresh.buffer.seconds", B, SHORT, "300", LOW, HIGH, NULL,
	"Time before expiry in which a credential is refreshed.", NULL)
KNOWN("sasl.login.refresh.buffer.seconds", A | P | C, SHORT, "300", 0, 3600, NULL,
	"Time before expiry in which a credential is refreshed.", NULL)
KNOWN("sasl.login.refresh.min.period.seconds", B, SHORT, "60", LOW, HIGH, NULL,
	"Least time between refreshes of a credential.", NULL)
KNOWN("sasl.login.refresh.min.period.seconds", A | P | C, SHORT, "60", 0, 900, NULL,
	"Least time between refreshes of a credential.", NULL)
KNOWN("sasl.login.refresh.window.factor", B, DOUBLE, "0.8", LOW, HIGH, NULL,
	"Share of a credential's life after which it is refreshed.", NULL)
KNOWN("sasl.login.refresh.window.factor", A | P | C, DOUBLE, "0.8", 0.5, 1.0, NULL,
	"Share of a credential's life after which it is refreshed.", NULL)
KNOWN("sasl.login.refresh.window.jitter", B, DOUBLE, "0.05", LOW, HIGH, NULL,
	"Share by which the time of a refresh varies.", NULL)
KNOWN("sasl.login.refresh.window.jitter", A | P | C, DOUBLE, "0.05", 0.0, 0.25, NULL,
	"Share by which the time of a refresh varies.", NULL)
KNOWN("sasl.login.retry.backoff.max.ms", B | A | P | C, LONG, "10000", LOW, HIGH, NULL,
	"Longest pause between attempts to log in.", NULL)
KNOWN("sasl.login.retry.backoff.ms", B | A | P | C, LONG, "100", LOW, HIGH, NULL,
	"First pause between attempts to log in.", NULL)
KNOWN("sasl.mechanism", A | P | C, STRING, "GSSAPI", LOW, HIGH, NULL, "SASL mechanism of a client.", NULL)
KNOWN("sasl.mechanism.controller.protocol", B, STRING, "GSSAPI", LOW, HIGH, NULL,
	"SASL mechanism towards controllers.", NULL)
KNOWN("sasl.mechanism.inter.broker.protocol", B, STRING, "GSSAPI", LOW, HIGH, NULL,
	"SASL mechanism between brokers.", NULL)
KNOWN("sasl.oauthbearer.clock.skew.seconds", B | A | P | C, INT, "30", LOW, HIGH, NULL,
	"Difference of clocks tolerated in a token.", NULL)
KNOWN("sasl.oauthbearer.expected.audience", B | A | P | C, LIST, NULL, LOW, HIGH, NULL,
	"Audiences a token may be for.", NULL)
KNOWN("sasl.oauthbearer.expected.issuer", B | A | P | C, STRING, NULL, LOW, HIGH, NULL,
	"Issuer a token must come from.", NULL)
KNOWN("sasl.oauthbearer.header.urlencode", A | P | C, BOOL, "false", LOW, HIGH, NULL,
	"Encode the client's id and secret as a URL in the header.", NULL)
KNOWN("sasl.oauthbearer.jwks.endpoint.refresh.ms", B | A | P | C, LONG, "3600000", LOW, HIGH, NULL,
	"Time between fetches of the signing keys.", NULL)
KNOWN("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", B | A | P | C, LONG, "10000", LOW, HIGH, NULL,
	"Longest pause before the keys are fetched again.", NULL)
KNOWN("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", B | A | P | C, LONG, "100", LOW, HIGH, NULL,
	"First pause before the keys are fetched again.", NULL)
KNOWN("sasl.oauthbearer.jwks.endpoint.url", B | A | P | C, STRING, NULL, LOW, HIGH, NULL,
	"Where the signing keys are.", NULL)
KNOWN("sasl.oauthbearer.scope.claim.name", B | A | P | C, STRING, "scope", LOW, HIGH, NULL,
	"Claim of a token that holds its scope.", NULL)
KNOWN("sasl.oauthbearer.sub.claim.name", B | A | P | C, STRING, "sub", LOW, HIGH, NULL,
	"Claim of a token that holds its subject.", NULL)
KNOWN("sasl.oauthbearer.token.endpoint.url", B | A | P | C, STRING, NULL, LOW, HIGH, NULL,
	"Where tokens are issued.", NULL)
KNOWN("sasl.server.callback.handler.class", B, CLASS, NULL, LOW, HIGH, NULL,
	"Class that checks credentials.", NULL)
KNOWN("sasl.server.max.receive.size", B, INT, "524288", LOW, HIGH, NULL,
	"Most bytes of a message before authentication.", NULL)
KNOWN("security.inter.broker.protocol", B, STRING, "PLAINTEXT", LOW, HIGH,
	"PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL", "Security protocol between brokers.", NULL)
KEY("security.protocol", A | P | C, STRING, "PLAINTEXT", LOW, HIGH,
	"~SASL_SSL|PLAINTEXT|SSL|SASL_PLAINTEXT", "How to talk to the brokers: PLAINTEXT or SSL; SASL is not supported, and refused.", NULL)
KNOWN("security.providers", B | A | P | C, STRING, NULL, LOW, HIGH, NULL, "Classes of security providers.",
	NULL)
KEY("segment.bytes", T, INT, "1073741824", 14, HIGH, NULL, "Most bytes of a segment.",
	"log.segment.bytes")
KEY("segment.index.bytes", T, INT, "10485760", 4, HIGH, NULL, "Most bytes of an index file.",
	"log.index.size.max.bytes")
KEY("segment.jitter.ms", T, LONG, "0", 0, HIGH, NULL,
	"Most by which segment.ms is shortened at random.",
	"log.roll.jitter.ms,log.roll.jitter.hours*3600000")
KEY("segment.ms", T, LONG, "604800000", 1, HIGH, NULL,
	"Age at which a segment is closed and a new one begun.",
	"log.roll.ms,log.roll.hours*3600000")
KEY("send.buffer.bytes", A | P | C, INT, "-1", -1, HIGH, NULL,
	"Send buffer of a socket; -1 for the system's choice, which grows (Kafka's 131072 does not).",
	NULL)
KNOWN("server.max.startup.time.ms", B, LONG, "9223372036854775807", 0, HIGH, NULL,
	"Longest time the start may take.", NULL)
KEY("session.timeout.ms", C, INT, "45000", LOW, HIGH, NULL,
	"Time without heartbeats after which a member counts as gone.", NULL)
KNOWN("socket.connection.setup.timeout.max.ms", A | B | P | C, LONG, "30000", LOW, HIGH, NULL,
	"Longest time for setting up a connection after failures.", NULL)
KEY("socket.connection.setup.timeout.ms", A | P | C, LONG, "10000", LOW, HIGH, NULL,
	"Time allowed for setting up a connection.", NULL)
KNOWN("socket.connection.setup.timeout.ms", B, LONG, "10000", LOW, HIGH, NULL,
	"Time allowed for setting up a connection.", NULL)
KEY("socket.listen.backlog.size", B, INT, "50", 1, HIGH, NULL,
	"Connections the system may hold before they are accepted.", NULL)
KEY("socket.receive.buffer.bytes", B, INT, "102400", LOW, HIGH, NULL,
	"Receive buffer of a socket; -1, or the key left out, for the system's choice.", NULL)
KEY("socket.request.max.bytes", B, INT, "104857600", 1, HIGH, NULL, "Largest request that is read.",
	NULL)
KEY("socket.send.buffer.bytes", B, INT, "102400", LOW, HIGH, NULL,
	"Send buffer of a socket; -1, or the key left out, for the system's choice.", NULL)
KNOWN("ssl.allow.dn.changes", B, BOOL, "false", LOW, HIGH, NULL,
	"Allow a new certificate to change the distinguished name.", NULL)
KNOWN("ssl.allow.san.changes", B, BOOL, "false", LOW, HIGH, NULL,
	"Allow a new certificate to change its alternative names.", NULL)
KEY("ssl.cipher.suites", B, LIST, "", LOW, HIGH, NULL,
	"Cipher suites allowed; unset for the library's choice.", NULL)
KEY("ssl.cipher.suites", A | P | C, LIST, NULL, LOW, HIGH, NULL,
	"Cipher suites allowed; unset for the library's choice.", NULL)
KEY("ssl.client.auth", B, STRING, "none", LOW, HIGH, "required|requested|none",
	"Whether clients must, may or need not show a certificate.", NULL)
KEY("ssl.enabled.protocols", B | A | P | C, LIST, "TLSv1.2,TLSv1.3", LOW, HIGH, NULL,
	"Versions of TLS that are allowed.", NULL)
KEY("ssl.endpoint.identification.algorithm", B | A | P | C, STRING, "https", LOW, HIGH, NULL,
	"https checks the peer's host name; empty does not.", NULL)
KNOWN("ssl.engine.factory.class", B | A | P | C, CLASS, NULL, LOW, HIGH, NULL,
	"Class that makes TLS engines.", NULL)
KEY("ssl.key.password", B | A | P | C, PASSWORD, NULL, LOW, HIGH, NULL, "Password of the private key.",
	NULL)
KNOWN("ssl.keymanager.algorithm", B | A | P | C, STRING, "SunX509", LOW, HIGH, NULL, "Java's key manager.",
	NULL)
KEY("ssl.keystore.certificate.chain", B | A | P | C, PASSWORD, NULL, LOW, HIGH, NULL,
	"Own certificate and its chain, PEM text.", NULL)
KEY("ssl.keystore.key", B | A | P | C, PASSWORD, NULL, LOW, HIGH, NULL,
	"Own private key, PEM text (PKCS #8).", NULL)
KEY("ssl.keystore.location", B | A | P | C, STRING, NULL, LOW, HIGH, NULL,
	"File with the own certificate, its chain and key.", NULL)
KNOWN("ssl.keystore.password", B | A | P | C, PASSWORD, NULL, LOW, HIGH, NULL,
	"Password of a keystore that is not PEM.", NULL)
KEY("ssl.keystore.type", B | A | P | C, STRING, "JKS", LOW, HIGH, NULL,
	"Format of the keystore; PEM is the one understood.", NULL)
KNOWN("ssl.principal.mapping.rules", B, STRING, "DEFAULT", LOW, HIGH, NULL,
	"How distinguished names become user names.", NULL)
KNOWN("ssl.protocol", B | A | P | C, STRING, "TLSv1.3", LOW, HIGH, NULL, "Version of TLS that is preferred.",
	NULL)
KNOWN("ssl.provider", B | A | P | C, STRING, NULL, LOW, HIGH, NULL, "Java's security provider.", NULL)
KNOWN("ssl.secure.random.implementation", B | A | P | C, STRING, NULL, LOW, HIGH, NULL,
	"Java's random numbers for TLS.", NULL)
KNOWN("ssl.trustmanager.algorithm", B | A | P | C, STRING, "PKIX", LOW, HIGH, NULL, "Java's trust manager.",
	NULL)
KEY("ssl.truststore.certificates", B | A | P | C, PASSWORD, NULL, LOW, HIGH, NULL,
	"Certificates that are trusted, PEM text.", NULL)
KEY("ssl.truststore.location", B | A | P | C, STRING, NULL, LOW, HIGH, NULL,
	"File with the certificates that are trusted.", NULL)
KNOWN("ssl.truststore.password", B | A | P | C, PASSWORD, NULL, LOW, HIGH, NULL,
	"Password of a truststore that is not PEM.", NULL)
KEY("ssl.truststore.type", B | A | P | C, STRING, "JKS", LOW, HIGH, NULL,
	"Format of the truststore; PEM is the one understood.", NULL)
KNOWN("telemetry.max.bytes", B, INT, "1048576", 1, HIGH, NULL,
	"Most bytes of metrics a client may push.", NULL)
KNOWN("transaction.abort.timed.out.transaction.cleanup.interval.ms", B, INT, "10000", 1, HIGH, NULL,
	"Time between looks for timed-out transactions.", NULL)
KEY("transaction.max.timeout.ms", B, INT, "900000", 1, HIGH, NULL,
	"Longest timeout a transaction may ask for.", NULL)
KEY("transaction.partition.verification.enable", B, BOOL, "true", LOW, HIGH, NULL,
	"Check that a partition belongs to the transaction.", NULL)
KNOWN("transaction.remove.expired.transaction.cleanup.interval.ms", B, INT, "3600000", 1, HIGH,
	NULL, "Time between looks for expired transactional ids.", NULL)
KEY("transaction.state.log.load.buffer.size", B, INT, "5242880", 1, HIGH, NULL,
	"Bytes read at a time when transactions are loaded.", NULL)
KEY("transaction.state.log.min.isr", B, INT, "2", 1, HIGH, NULL,
	"min.insync.replicas of the transaction topic; 1 where it has a single replica.", NULL)
KEY("transaction.state.log.num.partitions", B, INT, "50", 1, HIGH, NULL,
	"Partitions of the transaction topic.", NULL)
KNOWN("transaction.state.log.replication.factor", B, SHORT, "3", 1, HIGH, NULL,
	"Replicas of the transaction topic.", NULL)
KEY("transaction.state.log.segment.bytes", B, INT, "104857600", 1, HIGH, NULL,
	"Segment size of the transaction topic.", NULL)
KEY("transaction.timeout.ms", P, INT, "60000", LOW, HIGH, NULL,
	"Longest time a transaction stays open.", NULL)
KEY("transactional.id", P, STRING, NULL, LOW, HIGH, NULL,
	"Name of a producer with transactions; another producer with the name takes its place.", NULL)
KEY("transactional.id.expiration.ms", B, INT, "604800000", 1, HIGH, NULL,
	"How long an idle transactional id is remembered.", NULL)
KNOWN("unclean.leader.election.enable", B | T, BOOL, "false", LOW, HIGH, NULL,
	"Let a replica that is out of sync become leader.", "unclean.leader.election.enable")
KNOWN("unclean.leader.election.interval.ms", B, LONG, "300000", 1, HIGH, NULL,
	"Time between looks for unclean elections.", NULL)
KNOWN("unstable.api.versions.enable", B, BOOL, "false", LOW, HIGH, NULL,
	"Offer API versions that are not stable.", NULL)
KNOWN("unstable.feature.versions.enable", B, BOOL, "false", LOW, HIGH, NULL,
	"Offer feature versions that are not stable.", NULL)
KNOWN("value.deserializer", C, CLASS, NULL, LOW, HIGH, NULL, "Class that makes values of bytes.", NULL)
KNOWN("value.serializer", P, CLASS, NULL, LOW, HIGH, NULL, "Class that turns values into bytes.", NULL)
KNOWN("zookeeper.clientCnxnSocket", B, STRING, NULL, LOW, HIGH, NULL,
	"Java's socket class for ZooKeeper.", NULL)
KEY("zookeeper.connect", B, STRING, NULL, LOW, HIGH, NULL,
	"Has to be empty: a broker stands alone, and does not start as one of a ZooKeeper cluster.", NULL)
KNOWN("zookeeper.connection.timeout.ms", B, INT, NULL, LOW, HIGH, NULL,
	"Longest wait for a connection to ZooKeeper.", NULL)
KNOWN("zookeeper.max.in.flight.requests", B, INT, "10", 1, HIGH, NULL,
	"Most requests to ZooKeeper without an answer.", NULL)
KNOWN("zookeeper.metadata.migration.enable", B, BOOL, "false", LOW, HIGH, NULL,
	"Move the metadata away from ZooKeeper.", NULL)
KNOWN("zookeeper.metadata.migration.min.batch.size", B, INT, "200", 1, HIGH, NULL,
	"Least records moved at a time.", NULL)
KNOWN("zookeeper.session.timeout.ms", B, INT, "18000", LOW, HIGH, NULL,
	"Timeout of the session with ZooKeeper.", NULL)
KNOWN("zookeeper.set.acl", B, BOOL, "false", LOW, HIGH, NULL, "Protect the nodes in ZooKeeper.",
	NULL)
KNOWN("zookeeper.ssl.cipher.suites", B, LIST, NULL, LOW, HIGH, NULL,
	"Cipher suites towards ZooKeeper.", NULL)
KNOWN("zookeeper.ssl.client.enable", B, BOOL, "false", LOW, HIGH, NULL,
	"Use TLS towards ZooKeeper.", NULL)
KNOWN("zookeeper.ssl.crl.enable", B, BOOL, "false", LOW, HIGH, NULL,
	"Check revocation lists towards ZooKeeper.", NULL)
KNOWN("zookeeper.ssl.enabled.protocols", B, LIST, NULL, LOW, HIGH, NULL,
	"Versions of TLS towards ZooKeeper.", NULL)
KNOWN("zookeeper.ssl.endpoint.identification.algorithm", B, STRING, "HTTPS", LOW, HIGH, NULL,
	"Host name check towards ZooKeeper.", NULL)
KNOWN("zookeeper.ssl.keystore.location", B, STRING, NULL, LOW, HIGH, NULL,
	"Keystore towards ZooKeeper.", NULL)
KNOWN("zookeeper.ssl.keystore.password", B, PASSWORD, NULL, LOW, HIGH, NULL,
	"Password of that keystore.", NULL)
KNOWN("zookeeper.ssl.keystore.type", B, STRING, NULL, LOW, HIGH, NULL, "Format of that keystore.",
	NULL)
KNOWN("zookeeper.ssl.ocsp.enable", B, BOOL, "false", LOW, HIGH, NULL,
	"Check OCSP towards ZooKeeper.", NULL)
KNOWN("zookeeper.ssl.protocol", B, STRING, "TLSv1.2", LOW, HIGH, NULL,
	"TLS protocol towards ZooKeeper.", NULL)
KNOWN("zookeeper.ssl.truststore.location", B, STRING, NULL, LOW, HIGH, NULL,
	"Truststore towards ZooKeeper.", NULL)
KNOWN("zookeeper.ssl.truststore.password", B, PASSWORD, NULL, LOW, HIGH, NULL,
	"Password of that truststore.", NULL)
KNOWN("zookeeper.ssl.truststore.type", B, STRING, NULL, LOW, HIGH, NULL,
	"Format of that truststore.", NULL)
