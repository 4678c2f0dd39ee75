# SPDX-License-Identifier: BSD-2-Clause
# changes.sh: units that come and go and grow while the guest looks.

new_unit_appears_by_itself()
{
	host create new.img $((64 << 20))
	NEW=$(host lungfish connect --lun 9 new.img)
	within 120 block_of first 9
	within 120 block_of second 9
}

new_unit_has_its_size()
{
	udevadm settle
	attribute "$(block_of first 9)" size 131072
	attribute "$(block_of second 9)" size 131072
}

new_unit_holds_data()
{
	local disk
	disk=/dev/$(block_of first 9)
	dd if=/tmp/random of="$disk" bs=1M oflag=direct conv=fsync status=none
	equal sum "$(sum_of "$disk" count=16)" "$(sum_of_random)"
}

units_that_come_and_go_are_told()
{
	settle "$G"
	host create other.img $((64 << 20))
	without_iscsid told_of host lungfish connect --lun 11 other.img
	says '^ *000b000000000000$' sg_luns "$G"
	settle "$G"
	without_iscsid told_of host lungfish disconnect other
	settle "$G"
}

# Whoever scans for units takes the news of them, so nobody else may.
told_of()
{
	"$@" && refuses 6 'Reported luns data has changed' ready "$G" && ready "$G"
}

unit_leaves_under_load()
{
	local disk reader code=0
	disk=$(block_of first 9)
	(
		while dd if="/dev/$disk" of=/dev/null bs=64k count=64 iflag=direct status=none; do
			:
		done
	) &
	reader=$!
	sleep 0.5
	host lungfish disconnect new
	wait $reader
	refuses 5 'logical unit not supported' ready "$(sg_of "$disk")"
	equal size "$(host lungfish list --raw --noheadings -o LUN | tr '\n' ' ')" '0 1 2 '
	settle "$G"
	sg_turs "$G"
}

unit_that_left_is_taken_away()
{
	local disk
	disk=$(block_of first 9)
	echo 1 >"/sys/block/$disk/device/delete"
	udevadm settle
	status 1 block_of first 9
	[[ ! -e /dev/$disk ]]
}

resize_is_told_and_seen()
{
	settle "$G"
	host lungfish resize 512e 1280M
	refuses 6 'Capacity data has changed' ready "$G"
	echo 1 >"/sys/block/$D/device/rescan"
	attribute "$D" size 2621440
	dd if=/tmp/random of="/dev/$D" bs=1M seek=1264 oflag=direct conv=fsync status=none
	equal sum "$(sum_of "/dev/$D" skip=1264)" "$(sum_of_random)"
}

filesystem_grows_with_its_disk()
{
	local before
	blkdiscard -f "/dev/$D"
	mkfs.ext4 -q "/dev/$D"
	mount "/dev/$D" /mnt
	before=$(stat -f -c %b /mnt)
	host lungfish resize 512e 1536M
	settle "$G"
	echo 1 >"/sys/block/$D/device/rescan"
	attribute "$D" size 3145728
	resize2fs "/dev/$D"
	(($(stat -f -c %b /mnt) > before + 60000))
	umount /mnt
	fsck.ext4 -f -n "/dev/$D"
}

file_that_grew_is_seen()
{
	settle "$GN"
	host grow native.img $((640 << 20))
	host lungfish resize native 640M
	settle "$GN"
	echo 1 >"/sys/block/$N/device/rescan"
	attribute "$N" size 1310720
}

logout_and_login_again()
{
	logout first
	status 1 session_of first
	login first
	attribute "$(block_of first 0)" size 3145728
}

kernel_may_say 'I/O error(,| on) dev sd[a-z]+' # of the unit that leaves under load
kernel_may_say 'Sense Key : Illegal Request'
for name in new_unit_appears_by_itself new_unit_has_its_size new_unit_holds_data units_that_come_and_go_are_told \
	unit_leaves_under_load unit_that_left_is_taken_away resize_is_told_and_seen filesystem_grows_with_its_disk \
	file_that_grew_is_seen logout_and_login_again; do
	check "$name"
done
