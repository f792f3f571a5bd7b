#!/bin/sh
# Runs README's two commands in a fresh Debian root, as a new user's machine
# would: nothing is installed there but Debian's base. Needs root, debootstrap
# and a Debian mirror; says so and fails when it has them not.
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

for command in "sh examples/quickstart.sh" "sh tests/check.sh"; do
	echo "==> in the fresh root: $command"
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" /bin/sh -c "cd /libmq && $command" ||
		loudly "it failed: $command"
done
echo "==> both commands passed in a fresh root"
