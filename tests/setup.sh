# Sourced by the scripts of README's two commands: installs with apt-get what is
# missing on a Debian or Ubuntu machine, and builds in ./build.
#
# Runs as root, or as a user with sudo. TZ, HOME and LANG may be unset.

say() {
	printf '==> %s\n' "$*" >&2
}

die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		die "this needs root or sudo: $*"
	fi
}

# Prints those of the named packages that are not installed.
missing_packages() {
	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || printf '%s ' "$p"
	done
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -qq -y \
		-o Dpkg::Use-Pty=0 install --no-install-recommends "$@" </dev/null >&2
}

# install_packages NEEDED -- WANTED: what is WANTED makes more tests run, and is
# left out where the distribution does not have it.
install_packages() {
	needed= wanted= kind=needed
	for p in "$@"; do
		case $p,$kind in
		--,*) kind=wanted ;;
		*,needed) needed="$needed $p" ;;
		*) wanted="$wanted $p" ;;
		esac
	done
	needed=$(missing_packages $needed)
	wanted=$(missing_packages $wanted)
	[ -n "$needed$wanted" ] || return 0
	command -v apt-get >/dev/null 2>&1 || die "not a Debian or Ubuntu machine; install by hand: $needed $wanted"
	say "installing: $needed$wanted"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update </dev/null >&2 || die "apt-get update failed"
	if [ -n "$needed" ]; then
		apt_install $needed || die "the packages could not be installed"
	fi
	if [ -n "$wanted" ] && ! apt_install $wanted; then
		for p in $wanted; do
			apt_install "$p" || say "going on without $p"
		done
	fi
}

BUILD_PACKAGES="gcc libc6-dev make automake autoconf libtool pkg-config libevent-dev libssl-dev zlib1g-dev
	libcjson-dev liblz4-dev libzstd-dev libsnappy-dev"

jobs_of_machine() {
	getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}

# build DIRECTORY CONFIGURE_ARGUMENT...: makes configure, configures and builds.
build() {
	directory=$1
	shift
	[ -x ./configure ] && [ ./configure -nt configure.ac ] && [ ./configure -nt Makefile.am ] || {
		say "making configure"
		./autogen.sh >/dev/null 2>&1 || ./autogen.sh >&2 || die "autogen.sh failed"
	}
	mkdir -p "$directory"
	top=$PWD
	cd "$directory"
	say "configuring in $directory"
	"$top/configure" -q "$@" >&2 || die "configure failed"
	say "building"
	make -s -j"$(jobs_of_machine)" >&2 || die "the build failed"
	cd "$top"
}
