#!/bin/sh
# Runs README's two commands in a fresh Debian root, as a new user's machine
# would: nothing is installed there but Debian's base. Then installs the library as
# README says, and compiles and runs README's program. Needs root, debootstrap and a
# Debian mirror; says so and fails when it has them not.
#
# usage: debootstrap.sh SOURCE_TREE [SUITE]     MIRROR=URL ROOT=DIR KEEP=1
set -eu
source=$1
suite=${2:-bookworm}
mirror=${MIRROR:-http://deb.debian.org/debian}

loudly() {
	echo "######################################################################" >&2
	echo "## README's commands were NOT tried in a fresh root: $*" >&2
	echo "######################################################################" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || loudly "this needs root"
command -v debootstrap >/dev/null || loudly "debootstrap is not installed"

root=${ROOT:-$(mktemp -d /tmp/mq-root-XXXXXX)}
finish() {
	umount "$root/dev" 2>/dev/null || :
	umount "$root/proc" 2>/dev/null || :
	if [ -z "${KEEP:-}" ] && ! grep -q " $root/" /proc/mounts; then
		rm -rf "$root"
	fi
}
trap finish EXIT

if [ ! -x "$root/usr/bin/apt-get" ]; then
	echo "==> debootstrap $suite into $root"
	debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root.log" 2>&1 ||
		{ tail -5 "$root.log" >&2; loudly "debootstrap failed"; }
	rm -f "$root.log"
fi
mount -t proc proc "$root/proc" || loudly "cannot mount /proc"
mount --bind /dev "$root/dev" || loudly "cannot mount /dev"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/hosts "$root/etc/hosts"
for conf in /etc/apt/apt.conf.d/*proxy*; do
	[ -e "$conf" ] && cp "$conf" "$root/etc/apt/apt.conf.d/"
done

rm -rf "$root/libmq"
mkdir "$root/libmq"
(cd "$source" && git ls-files -z | tar --null -T - -cf -) | tar -C "$root/libmq" -xf -

in_root() {
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin MAKEFLAGS=-j"$(nproc)" \
		chroot "$root" /bin/sh -ec "$*"
}

for command in "sh examples/quickstart.sh" "sh tests/check.sh"; do
	echo "==> in the fresh root: $command"
	in_root "cd /libmq && $command" || loudly "it failed: $command"
done
echo "==> both commands passed in a fresh root"

# Both as they stand in README; root needs no sudo.
install=$(tr '\n' ' ' <"$source/README" | sed -n 's/.*With the library installed (\([^)]*\)).*/\1/p' | sed 's/sudo //g')
compile=$(sed -n 's/^    \(cc prog.c .*\)/\1/p' "$source/README")
rm -rf "$root/prog"
mkdir "$root/prog"
sed -n '/^    #include <err.h>/,/^    }/s/^    //p' "$source/README" >"$root/prog/prog.c"
echo "==> in the fresh root: $install"
in_root "cd /libmq && $install" >"$root/install.log" 2>&1 ||
	{ tail -20 "$root/install.log"; loudly "it failed: $install"; }
echo "==> in the fresh root: $compile && ./a.out"
said=$(in_root "cd /prog && $compile && ./a.out") || loudly "README's program failed"
echo "$said"
[ "$said" = "0 hello" ] || loudly "README's program did not print \"0 hello\""
in_root "cd /prog && mq server-start --daemon && mq doctor && mq console-consumer --topic first --from-beginning \
	--max-messages 1 && mq server-stop" || loudly "mq does not work when installed"
echo "==> README's program and mq work in a fresh root"
