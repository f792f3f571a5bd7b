#!/bin/sh
# mq consumer-groups against a real `mq server-start`, with a member of kcat's:
# exit codes and output.
LC_ALL=C
export LC_ALL
builddir=$(cd "${builddir:-.}" && pwd)
mq=$builddir/mq
command -v kcat >/dev/null || { echo "kcat is not installed"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/mq-groups-XXXXXX")
broker='' member=''
finish() {
	for pid in $member $broker; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

cat >"$work/server.properties" <<END
broker.id=0
listeners=PLAINTEXT://127.0.0.1:0
log.dirs=$work/data
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=3
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
b="--bootstrap-server $address"

status=0 count=0
# run CODE ARGS...: runs mq consumer-groups; its output without blanks at the end
# of lines, and with ports and ids made the same, goes to a file.
run() {
	want=$1
	shift
	count=$((count + 1))
	what="mq consumer-groups $*"
	# Kafka's 5 s are short for a commit where other tests keep the disk busy.
	timeout 60 "$mq" consumer-groups "$@" --timeout 50000 >"$work/raw" 2>"$work/err"
	got=$?
	sed -e "s/$port/PORT/g" -e 's/rdkafka-[0-9a-f-]\{36\}/rdkafka-ID/g' -e 's/  *$//' "$work/raw" >"$work/out"
	[ "$got" = "$want" ] && return
	echo "$what: exit code $got, not $want"
	cat "$work/out" "$work/err"
	status=1
}
prints() {
	printf '%s' "$1" >"$work/want"
	cmp -s "$work/want" "$work/out" && return
	echo "$what: the output differs:"
	diff "$work/want" "$work/out"
	status=1
}
has() {
	grep -q -- "$1" "$work/out" && return
	echo "$what: nothing like \"$1\" in the output:"
	cat "$work/out" "$work/err"
	status=1
}
says() {
	grep -q -- "$1" "$work/err" && return
	echo "$what: nothing like \"$1\" in stderr:"
	cat "$work/err"
	status=1
}

# --- what needs no broker -------------------------------------------------------

run 0 --help
has '^Usage: mq consumer-groups '
has '^Example:'
run 2
says 'exactly one of --list'
run 2 --lst
says 'did you mean --list'
run 2 --describe
says 'either --group or --all-groups'
run 2 --describe --group g --members --state
run 2 --delete-offsets --group g
run 2 --reset-offsets --group g --topic t
says 'exactly one of --to-earliest'
run 2 --reset-offsets --group g --to-latest
says '--topic or --all-topics'
run 2 --reset-offsets --group g --to-latest --topic t --execute --dry-run
run 2 --reset-offsets --group g --topic t --to-datetime yesterday
says '2026-11-22T13:14:15'
run 2 --reset-offsets --group g --topic t --by-duration 5h
says 'PT30M'
run 2 --list --state sleepy
says 'there is no state "sleepy"'
run 2 --list --topic t

# --- offsets without members ------------------------------------------------------

"$mq" topics $b --create --topic first --partitions 2 >/dev/null || exit 1
for i in 1 2 3 4 5 6; do echo "0:line $i"; done | kcat -P -b "$address" -t first -p 0
for i in 1 2 3; do echo "line $i"; done | kcat -P -b "$address" -t first -p 1

run 0 $b --list
prints ''
run 1 $b --describe --group none
says "Consumer group 'none' does not exist"
run 0 $b --reset-offsets --group g1 --topic first --to-earliest
says 'nothing is reset without --execute'
prints '
GROUP                          TOPIC                          PARTITION  NEW-OFFSET
g1                             first                          0          0
g1                             first                          1          0
'
run 0 $b --list
prints ''
run 0 $b --reset-offsets --group g1 --topic first --to-latest --execute
run 0 $b --list
prints 'g1
'
run 0 $b --reset-offsets --group g1 --topic first:0 --to-offset 4 --execute
run 0 $b --describe --group g1
says "Consumer group 'g1' has no active members."
prints '
GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
g1              first           0          4               6               2               -               -               -
g1              first           1          3               3               0               -               -               -
'
run 0 $b --describe --group g1 --state
has '^GROUP                     COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE           #MEMBERS$'
has '^g1                        127.0.0.1:PORT  (0)  *Empty           0$'
run 0 $b --list --state
prints 'GROUP                     STATE
g1                        Empty
'
run 0 $b --list --state stable
prints 'GROUP                     STATE
'
run 0 $b --reset-offsets --group g1 --all-topics --shift-by -1 --dry-run --export
prints 'first,0,3
first,1,2
'
run 0 $b --reset-offsets --group g1 --topic first:1 --shift-by 10 --execute --export
says 'offset 13 of first-1 is higher than the latest one; it will be 3'
run 0 $b --reset-offsets --group g1 --topic first:0 --shift-by -10 --dry-run --export
prints 'first,0,0
'
run 0 $b --reset-offsets --group g1 --topic first --to-current --dry-run --export
prints 'first,0,4
first,1,3
'
run 0 $b --reset-offsets --group g1 --topic first:0 --by-duration P1D --dry-run --export
prints 'first,0,0
'
run 0 $b --reset-offsets --group g1 --topic first:0 --to-datetime 2100-01-01T00:00:00.000+08:00 --dry-run --export
says 'no record from then on'
prints 'first,0,6
'
run 1 $b --reset-offsets --group g2 --topic first --shift-by 1
says 'committed nothing'
printf 'first,0,1\n"first",1,2\n' >"$work/plan"
run 0 $b --reset-offsets --group g1 --from-file "$work/plan" --execute --export
prints 'first,0,1
first,1,2
'
printf 'g1,first,0,5\ng2,first,0,6\n' >"$work/plan"
run 0 $b --reset-offsets --group g1 --group g2 --from-file "$work/plan" --execute --export
prints 'g1,first,0,5
g2,first,0,6
'
printf 'first;0;1\n' >"$work/plan"
run 1 $b --reset-offsets --group g1 --from-file "$work/plan"
says 'line 1 is not'
run 1 $b --reset-offsets --group g1 --topic nowhere --to-earliest
run 0 $b --delete-offsets --group g1 --topic first:1
prints 'Request succeed for deleting offsets with topic first:1 group g1

TOPIC                          PARTITION       STATUS
first                          1               Successful
'
run 0 $b --reset-offsets --group g1 --all-topics --to-current --dry-run --export
prints 'first,0,5
'
run 1 $b --delete-offsets --group none --topic first
says 'GROUP_ID_NOT_FOUND'

# --- with a member ----------------------------------------------------------------

mkfifo "$work/kcat"
timeout 120 kcat -b "$address" -G g3 -o beginning -X auto.commit.interval.ms=100 -X client.id=kc first >"$work/got" 2>"$work/kcat" &
member=$!
exec 4<"$work/kcat"
while read -r line <&4; do
	case $line in *rebalanced*assigned*) break ;; esac
done
run 0 $b --describe --group g3 --members --verbose
has '^g3  *rdkafka-ID  */127.0.0.1  *kc  *2  *first(0,1)$\|^g3  *kc-[0-9a-f-]*  *[/0-9.]*  *kc  *2  *first(0,1)$'
run 0 $b --describe --group g3 --state
has ' Stable  *1$'
run 1 $b --reset-offsets --group g3 --topic first --to-earliest --execute
says "Assignments can only be reset if the group 'g3' is inactive, but the current state is Stable."
run 1 $b --delete --group g3 --group g2
says "Group 'g3' could not be deleted: .*NON_EMPTY_GROUP"
has "deleted successfully: 'g2'"
run 1 $b --delete-offsets --group g3 --topic first
says 'not all offsets were deleted'
has 'GROUP_SUBSCRIBED_TO_TOPIC'
# It ends when the broker has answered that it has left.
kill "$member"
wait "$member" 2>/dev/null
member=
exec 4<&-
run 0 $b --describe --group g3 --state
has ' Empty  *0$'
run 0 $b --delete --all-groups
has "('g1, g3') was successful"
run 0 $b --list
prints ''

echo "$count runs of mq consumer-groups"
exit $status
