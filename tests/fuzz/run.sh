#!/bin/sh
# Runs the fuzzers named on the command line, one after the other, in the build
# directory: RUNS inputs each (1,000,000), corpus and findings in fuzz-out/<name>.
# Then replays the corpora in a build of fuzz-coverage that counts lines, and
# prints what of the files a fuzzer aims at was reached. 1 when one found
# something. Builds fuzz-coverage at the first run; needs llvm for this part.
#
# usage: run.sh fuzzer...
set -u

runs=${RUNS:-1000000}
top=$(cd "${top_srcdir:-$(dirname "$0")/../..}" && pwd)
build=$PWD
failed=0

aims_at() {
	case $1 in
	fuzz_batch) echo record/batch.c record/builder.c record/records.c record/walk.h \
		record/validate.c ;;
	fuzz_codec) echo record/codec.c record/codec_gzip.c record/codec_snappy.c \
		record/codec_lz4.c record/codec_zstd.c ;;
	fuzz_core) (cd "$top/lib" && echo broker/*.c replica/*.c) ;;
	fuzz_fetched) echo consumer/fetched.c consumer/plain.c consumer/records.c ;;
	fuzz_frame) echo protocol/decode.c protocol/encode.c protocol/frame.c protocol/print.c ;;
	fuzz_legacy) echo record/legacy.c record/convert.c ;;
	fuzz_log_state) echo log/producers.c log/epochs.c ;;
	fuzz_properties) echo base/properties.c base/conf.c base/conf_value.c ;;
	fuzz_segment) echo log/index.c log/log_find.c log/log_list.c log/log_read.c \
		log/log_recover.c log/log_rescan.c log/log_segments.c log/log_tail.c \
		log/producers.c log/scan.c log/segment.c ;;
	esac
}

# What one input may have: enough for its format, little enough to be fast.
size_max() {
	case $1 in
	fuzz_core) echo 2048 ;;
	fuzz_segment) echo 1024 ;;
	*) echo 4096 ;;
	esac
}

fuzz() {
	out=$build/fuzz-out/$1
	rm -rf "$out"
	mkdir -p "$out/corpus"
	"$build/tests/fuzz/$1" -runs="$runs" -max_len="$(size_max "$1")" -timeout=30 \
		-artifact_prefix="$out/" -print_final_stats=1 "$out/corpus" >"$out/log" 2>&1 ||
		failed=1
	inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/log")
	findings=$(find "$out" -maxdepth 1 \( -name 'crash-*' -o -name 'leak-*' -o -name 'oom-*' \
		-o -name 'timeout-*' \) | wc -l)
	echo "$1: ${inputs:-fewer than $runs} inputs, $findings findings" \
		"($(sed -n 's/.*\(cov: [0-9]* ft: [0-9]*\).*/\1/p' "$out/log" | tail -n 1))"
	find "$out" -maxdepth 1 -name '*-????????????????????*' -exec echo "  finding:" {} \;
}

# The tool of this name and clang's version, or without one.
tool() {
	version=$(clang -dumpversion 2>/dev/null | cut -d. -f1)
	command -v "$1-$version" || command -v "$1"
}

build_coverage() {
	mkdir -p fuzz-coverage && cd fuzz-coverage || return 1
	{
		[ -f config.status ] || "$top/configure" -q CC=clang --enable-fuzz \
			CFLAGS="-g -O1 -fprofile-instr-generate -fcoverage-mapping"
		for name in "$@"; do
			MAKEFLAGS='' "${MAKE:-make}" "tests/fuzz/$name" || exit 1
		done
	} >log 2>&1
}

cover() {
	exe=$build/fuzz-coverage/tests/fuzz/$1
	out=$build/fuzz-out/$1
	LLVM_PROFILE_FILE=$out/profraw "$exe" -runs=0 "$out/corpus" >"$out/replay" 2>&1 &&
		"$profdata" merge -o "$out/profdata" "$out/profraw" || return 1
	echo "$1, lines:"
	"$cov" report "$exe" -instr-profile="$out/profdata" \
		$(aims_at "$1" | tr ' ' '\n' | sed "s|^|$top/lib/|") |
		awk '$8 ~ /^[0-9]+$/ && NF >= 10 { sub(".*/", "", $1)
			printf "  %-24s %5d of %5d  %s\n", $1, $8 - $9, $8, $10 }'
}

for name in "$@"; do
	fuzz "$name"
done
cov=$(tool llvm-cov) && profdata=$(tool llvm-profdata) || {
	echo "no llvm-cov here: no coverage of lines"
	exit $failed
}
if (build_coverage "$@"); then
	for name in "$@"; do
		cover "$name" || failed=1
	done
else
	echo "fuzz-coverage does not build: see fuzz-coverage/log"
	failed=1
fi
exit $failed
