#!/bin/sh
# Every file that is under version control is named in a makefile, so that the
# tarball of `make dist` has it.
cd "$srcdir" || exit 1
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
	echo "SKIP: not a working copy"
	exit 77
fi
status=0
names=$(cat Makefile.am configure.ac $(git ls-files '*Makefile.inc') | tr -s ' \t\\:' '\n' | sort -u)
files=$(git ls-files)
n=$(printf '%s\n' "$files" | wc -l)
# A name stands as it is or behind $(srcdir).
missing=$(
	printf '%s\n' "$names" | sed 's/^\$(srcdir)\///' | sort -u |
		awk 'NR == FNR { named[$0] = 1; next } !($0 in named)' - /dev/fd/3 3<<END
$files
END
)
for file in $missing; do
	case $file in
	# Not wanted, or taken along by automake itself.
	.gitignore | Makefile.am | configure.ac | *Makefile.inc | lib/libmq.pc.in) ;;
	*)
		echo "$file is in no makefile, and so not in the tarball"
		status=1
		;;
	esac
done
echo "$n files"
[ "$n" -gt 0 ] || status=1
exit $status
