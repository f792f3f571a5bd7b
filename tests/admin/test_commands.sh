#!/bin/sh
# Every command of mq that talks to a cluster, against a real `mq server-start`:
# exit codes and output.
LC_ALL=C
export LC_ALL
builddir=$(cd "${builddir:-.}" && pwd)
mq=$builddir/mq
work=$(mktemp -d "${TMPDIR:-/tmp}/mq-commands-XXXXXX")
broker=
finish() {
	[ -z "$broker" ] || kill "$broker" 2>/dev/null
	[ -z "$broker" ] || wait "$broker" 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# --- the broker ---------------------------------------------------------------

cat >"$work/server.properties" <<END
broker.id=0
listeners=PLAINTEXT://127.0.0.1:0
log.dirs=$work/data
END
mkfifo "$work/said"
"$mq" server-start "$work/server.properties" 2>"$work/said" &
broker=$!
exec 3<"$work/said"
port=
while read -r line <&3; do
	case $line in
	*ready*) port=$(echo "$line" | sed -n 's/.*ready.*127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p'); break ;;
	esac
done
[ -n "$port" ] || { echo "the broker did not start: $line"; exit 1; }
cat <&3 >"$work/log" &
address=127.0.0.1:$port

# --- checks -------------------------------------------------------------------

status=0 count=0

# run CODE ARGS...: runs mq; stdout and stderr go to files. Ids and ports, which
# differ from run to run, are made the same.
run() {
	want=$1
	shift
	count=$((count + 1))
	what="mq $*"
	timeout 60 "$mq" "$@" >"$work/raw" 2>"$work/err"
	got=$?
	sed -e "s/$port/PORT/g" -e 's/TopicId: [A-Za-z0-9_-]\{22\}/TopicId: ID/' \
		-e 's/"topicId":"[A-Za-z0-9_-]\{22\}"/"topicId":"ID"/' \
		-e 's/Cluster: [A-Za-z0-9_-]\{22\}/Cluster: ID/' \
		-e 's/"clusterId":"[A-Za-z0-9_-]\{22\}"/"clusterId":"ID"/' "$work/raw" >"$work/out"
	[ "$got" = "$want" ] && return
	echo "$what: exit code $got, not $want"
	cat "$work/out" "$work/err"
	status=1
}

# prints TEXT: the output was exactly this.
prints() {
	printf '%s' "$1" >"$work/want"
	cmp -s "$work/want" "$work/out" && return
	echo "$what: the output differs:"
	diff "$work/want" "$work/out"
	status=1
}

# has PATTERN: a line of the output is like this. says: of stderr.
has() {
	grep -q "$1" "$work/out" && return
	echo "$what: nothing like \"$1\" in the output:"
	cat "$work/out"
	status=1
}
says() {
	grep -q -- "$1" "$work/err" && return
	echo "$what: nothing like \"$1\" in stderr:"
	cat "$work/err"
	status=1
}

tab=$(printf '\t')
b="--bootstrap-server $address"

# --- what needs no broker -----------------------------------------------------

run 0 --version
has '^mq [0-9]'
run 0 --help
has '^  topics '
run 2
run 2 topicks
says 'did you mean "topics"'
for command in topics configs get-offsets delete-records metadata; do
	run 0 $command --help
	has "^Usage: mq $command "
	has '^Example:'
	has "  mq $command "
	run 2 $command --bootstrap-serve x
	says 'did you mean --bootstrap-server'
	run 2 $command --bootstrap-server
	says 'wants a value'
done
run 1 topics --list --zookeeper localhost:2181
says 'bootstrap-server localhost:9092'
run 1 topics --list --bootstrap-server 'a b:1'
says 'bootstrap.servers'
run 1 topics --list --bootstrap-server 127.0.0.1:1 --timeout-ms 200
says '127.0.0.1:1: .*refused, for 0\.'
run 2 topics
run 2 topics --list --create --topic t
run 2 topics --create
run 2 topics --alter --topic t
run 2 topics --create --topic t --partitions x
run 2 topics --create --topic t --partitions 0
run 2 topics --list extra

# --- topics -------------------------------------------------------------------

run 0 topics $b --list
prints ''
run 0 topics $b --create --topic first --partitions 2 --replication-factor 1 --config retention.ms=1000
prints 'Created topic first.
'
run 1 topics $b --create --topic first
says 'first: .*already exists.*TOPIC_ALREADY_EXISTS'
run 0 topics $b --create --topic first --if-not-exists
prints ''
run 0 topics --broker-list $address --create --topic second --replica-assignment 0,0,0
run 1 topics $b --create --topic 'bad/name'
says INVALID_TOPIC_EXCEPTION
run 1 topics $b --create --topic many --replication-factor 3
says INVALID_REPLICATION_FACTOR
run 1 topics $b --create --topic odd --config no.such.key=1
says INVALID_CONFIG
run 2 topics $b --create --topic odd --config no.such.key
run 2 topics $b --create --topic odd --replica-assignment 0:x
run 0 topics $b --list
prints 'first
second
'
run 0 topics $b --list --json
prints '["first","second"]
'
run 0 topics $b --list --topic 'fir.*,none'
prints 'first
'
run 2 topics $b --list --topic '('
run 0 topics $b --describe --topic first
prints "Topic: first${tab}TopicId: ID${tab}PartitionCount: 2${tab}ReplicationFactor: 1${tab}Configs: retention.ms=1000
${tab}Topic: first${tab}Partition: 0${tab}Leader: 0${tab}Replicas: 0${tab}Isr: 0
${tab}Topic: first${tab}Partition: 1${tab}Leader: 0${tab}Replicas: 0${tab}Isr: 0
"
run 0 topics $b --describe --topics-with-overrides
prints "Topic: first${tab}TopicId: ID${tab}PartitionCount: 2${tab}ReplicationFactor: 1${tab}Configs: retention.ms=1000
"
run 0 topics $b --describe --under-replicated-partitions
prints ''
run 0 topics $b --describe --unavailable-partitions
prints ''
run 0 topics $b --describe --under-min-isr-partitions
prints ''
run 0 topics $b --describe --at-min-isr-partitions --topic first
prints "${tab}Topic: first${tab}Partition: 0${tab}Leader: 0${tab}Replicas: 0${tab}Isr: 0
${tab}Topic: first${tab}Partition: 1${tab}Leader: 0${tab}Replicas: 0${tab}Isr: 0
"
run 0 topics $b --describe --topic first --json
prints '[{"topic":"first","topicId":"ID","internal":false,"partitions":[{"partition":0,"leader":0,"leaderEpoch":0,"replicas":[0],"isr":[0]},{"partition":1,"leader":0,"leaderEpoch":0,"replicas":[0],"isr":[0]}],"configs":{"retention.ms":"1000"}}]
'
run 1 topics $b --describe --topic none
says "Topic 'none' does not exist as expected"
run 0 topics $b --describe --topic none --if-exists
run 0 topics $b --alter --topic first --partitions 3
run 1 topics $b --alter --topic first --partitions 3
says INVALID_PARTITIONS
run 0 topics $b --describe --topic first
has 'PartitionCount: 3'

# --- configs ------------------------------------------------------------------

run 0 configs $b --describe --topic first
has '^Dynamic configs for topic first are:$'
has '^  retention.ms=1000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=1000, '
run 0 configs $b --alter --entity-type topics --entity-name first \
	--add-config 'cleanup.policy=[compact,delete],segment.bytes=1048576' --delete-config retention.ms
prints 'Completed updating config for topic first.
'
run 0 configs $b --describe --entity-type topics --entity-name first --json
prints '[{"entityType":"topic","entityName":"first","configs":[{"name":"cleanup.policy","value":"compact,delete","source":"DYNAMIC_TOPIC_CONFIG","readOnly":false,"sensitive":false},{"name":"segment.bytes","value":"1048576","source":"DYNAMIC_TOPIC_CONFIG","readOnly":false,"sensitive":false}]}]
'
run 0 configs $b --describe --entity-type topics --entity-name first --all
has '^All configs for topic first are:$'
has '^  max.message.bytes='
run 0 configs $b --describe --entity-type topics
has 'topic second are'
run 1 configs $b --alter --topic first --delete-config retention.ms
says 'Invalid config(s): retention.ms'
run 1 configs $b --alter --topic first --add-config no.such=1
says INVALID_CONFIG
run 1 configs $b --alter --topic none --add-config retention.ms=1
says UNKNOWN_TOPIC_OR_PARTITION
run 0 configs $b --describe --entity-type brokers --entity-name 0 --all
has '^All configs for broker 0 are:$'
run 1 configs $b --describe --broker 7
says 'there is no broker 7'
run 2 configs $b --describe
run 2 configs $b --describe --entity-type users
run 2 configs $b --alter --topic first
run 2 configs $b --alter --topic first --add-config x
run 2 configs $b --describe --broker zero

# --- offsets and records --------------------------------------------------------

run 0 get-offsets $b --topic first
prints 'first:0:0
first:1:0
first:2:0
'
run 0 get-offsets $b --topic-partitions first:0-2,second:1 --time earliest
prints 'first:0:0
first:1:0
second:1:0
'
run 0 get-offsets $b --topic first --partitions 1 --time -3
prints 'first:1:
'
run 0 get-offsets $b --topic first --partitions 0 --json
prints '[{"topic":"first","partition":0,"offset":0,"timestamp":-1}]
'
run 1 get-offsets $b --topic none
says 'Could not match any topic-partitions'
run 2 get-offsets $b --time -9
run 2 get-offsets $b --topic first --partitions x

if command -v kcat >/dev/null; then
	printf '1\n2\n3\n4\n5\n' | kcat -P -b "$address" -t second -p 0
	run 0 get-offsets $b --topic-partitions second:0
	prints 'second:0:5
'
	echo '{"partitions":[{"topic":"second","partition":0,"offset":2}],"version":1}' >"$work/offsets"
	run 0 delete-records $b --offset-json-file "$work/offsets"
	prints "Executing records delete operation
Records delete operation completed:
partition: second-0${tab}low_watermark: 2
"
	run 0 get-offsets $b --topic-partitions second:0 --time -2
	prints 'second:0:2
'
fi
echo '{"partitions":[{"topic":"none","partition":0,"offset":2}]}' >"$work/offsets"
run 1 delete-records $b --offset-json-file "$work/offsets"
has 'partition: none-0.*UNKNOWN_TOPIC_OR_PARTITION'
echo '{"partitions":[{"topic":"second","partition":0,"offset":99}]}' >"$work/offsets"
run 1 delete-records $b --offset-json-file "$work/offsets"
has OFFSET_OUT_OF_RANGE
for wrong in '{' '{}' '{"partitions":[{"topic":1}]}' '{"partitions":[],"version":2}'; do
	echo "$wrong" >"$work/offsets"
	run 1 delete-records $b --offset-json-file "$work/offsets"
	says "$work/offsets"
done
run 1 delete-records $b --offset-json-file "$work/missing"
run 2 delete-records $b

# --- metadata -------------------------------------------------------------------

run 0 metadata $b
has '^Cluster: ID$'
has "^${tab}Broker: 0${tab}Host: 127.0.0.1${tab}Port: PORT${tab}Rack: none${tab}Controller$"
has "^${tab}Topic: first${tab}PartitionCount: 3$"
run 0 metadata $b --json
has '^{"clusterId":"ID","controller":0,"brokers":\[{"id":0,"host":"127.0.0.1","port":PORT,"rack":null}\]'
run 0 metadata $b --api-versions
has '^127.0.0.1:PORT (id: 0 rack: null) -> ($'
has "^${tab}ApiVersions(18): 0 to [0-9]* \[usable: [0-9]*\]"

# --- a file of properties ---------------------------------------------------------

echo "bootstrap.servers=$address" >"$work/client.properties"
run 0 topics --command-config "$work/client.properties" --list
has '^first$'
echo 'no.such.key=1' >"$work/client.properties"
run 1 topics --command-config "$work/client.properties" --list
says 'no.such.key'
run 1 topics --command-config "$work/missing" --list

# --- the end of topics --------------------------------------------------------------

run 1 topics $b --delete --topic none
run 0 topics $b --delete --topic none --if-exists
run 0 topics $b --delete --topic 'first|second'
prints ''
run 0 topics $b --list
prints ''
if [ -e /dev/full ]; then
	"$mq" --help >/dev/full 2>/dev/null
	[ $? = 1 ] || { echo "mq --help >/dev/full does not fail"; status=1; }
fi

echo "$count commands"
exit $status
