# SPDX-License-Identifier: BSD-2-Clause
# disk.sh: the disk suite. Units: 0 is 1 GiB, 512e, sparse; 1 is 512 MiB, 4Kn; 2 is read-only.
. /test/lib.sh
. /test/iscsi.sh
PREFIX=disk_

dd if=/dev/urandom of=/tmp/random bs=1M count=16 status=none
# Blocks of 512 bytes for --in: one of random data, another, and both.
dd if=/tmp/random of=/tmp/one bs=512 count=1 status=none
dd if=/tmp/random of=/tmp/two bs=512 count=1 skip=1 status=none
cat /tmp/one /tmp/two >/tmp/one-two
cat /tmp/two /tmp/one >/tmp/two-one
head -c 512 /dev/zero >/tmp/zero

# put LBA FILE, is LBA FILE: writes and compares whole blocks, past the page cache.
put()
{
	dd if="$2" of="/dev/$D" bs=512 seek="$1" oflag=direct status=none
}

is()
{
	cmp <(range "/dev/$D" "$1" $(($(stat -c %s "$2") / 512))) "$2"
}

sum_of_random()
{
	sha256sum /tmp/random | cut -d ' ' -f 1
}

# A unit attention makes udev probe the disk: commands of its own in the midst of what is checked.
udev_rests_during()
{
	case $1 in
	commands | provisioning | reservations | resets) udevadm control --stop-exec-queue ;;
	*) udevadm control --start-exec-queue && udevadm settle ;;
	esac
}

for part in login chap identity commands provisioning reservations resets filesystems changes; do
	[[ -z ${ONLY:-} || " login $ONLY " == *" $part "* ]] || continue
	started=$SECONDS
	udev_rests_during $part
	. "/test/disk/$part.sh"
	echo "# $part: $((SECONDS - started)) s"
done
finish
