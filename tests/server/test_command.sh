#!/bin/sh
# mq server-start and server-stop as a user runs them.
program=$(cd "$builddir" && pwd)/mq
deadline=60 # seconds for whatever is waited for
dir=$(mktemp -d "${TMPDIR:-/tmp}/mq-command-XXXXXX") || exit 99
status=0
cd "$dir" || exit 99

check() { # what happened, what was expected, what it is about
	[ "$1" = "$2" ] || { echo "$3: got $1, expected $2"; status=1; }
}

mq() { # ends with 124 when its time is over
	timeout $deadline "$program" "$@"
}

# In the foreground, without a daemon in between; its lines go to a file.
start() { # file
	"$program" server-start server.properties 2>"$1" &
	pid=$!
	looks=0
	until grep -q 'ready on' "$1"; do
		looks=$((looks + 1))
		if [ $looks -gt $((deadline * 10)) ] || ! kill -0 $pid 2>/dev/null; then
			echo "not ready after $((looks / 10)) s:"
			cat "$1"
			status=1
			return
		fi
		sleep 0.1
	done
}

# Its exit status; it is killed when its time is over.
await_end() {
	looks=0
	while kill -0 $pid 2>/dev/null; do
		looks=$((looks + 1))
		if [ $looks -gt $((deadline * 10)) ]; then
			echo "it has not ended within $deadline s"
			kill -KILL $pid
			break
		fi
		sleep 0.1
	done
	wait $pid
}

printf 'broker.id=3\nlog.dirs=data\nlisteners=PLAINTEXT://127.0.0.1:0\n' >server.properties

mq server-stop server.properties 2>err; check $? 1 "stopping what does not run"
mq server-start -daemon server.properties; check $? 0 "start in the background"
grep -q 'ready on PLAINTEXT://127.0.0.1:[1-9]' mq-server.log
check $? 0 "the line that says it is ready"

mq server-start server.properties 2>err; check $? 1 "a second broker on the same directory"
grep -q 'data' err; check $? 0 "the line that names the directory in use"

mq server-start no-such-file 2>err; check $? 1 "a file that is not there"
mq server-start server.properties --override no.such.key=1 2>err; check $? 2 "an unknown key"
grep -q 'no.such.key' err; check $? 0 "the line that names the unknown key"
mq server-start server.properties --override nonsense 2>err; check $? 2 "an override without ="
mq server-start --override broker.id=1 --override node.id=2 --override log.dirs=other 2>err
check $? 2 "two numbers for one broker"
grep -q 'broker.id is 1 and node.id 2' err; check $? 0 "the line that names both numbers"
mq server-start a b 2>err; check $? 2 "two files"
mq server-start --no-such-option 2>err; check $? 2 "an unknown option"

mq server-stop server.properties; check $? 0 "stopping"
grep -q 'mq server-start: stopped' mq-server.log; check $? 0 "the line that says it has stopped"
mq server-stop --data-dir data 2>err; check $? 1 "stopping it again"

# A terminal that is closed, and a reader of the lines who is gone.
start log
kill -PIPE $pid
kill -HUP $pid
await_end; check $? 0 "SIGHUP ends it cleanly"
grep -q 'stopped' log; check $? 0 "the line that says SIGHUP has stopped it"
[ -e data/.kafka_cleanshutdown ]; check $? 0 "the mark of a clean stop after SIGHUP"

start log2
kill -TERM $pid
await_end; check $? 0 "SIGTERM ends it cleanly"

[ $status -eq 0 ] || { cat err mq-server.log; }
cd / && rm -rf "$dir"
exit $status
