# SPDX-License-Identifier: BSD-2-Clause
# door.sh: discs that come and go, by the guest and by the host, and what is told of it.

# label WANTED: what blkid reads on the disc now; empty when there is none.
label()
{
	[[ $(blkid -p -o value -s LABEL "/dev/$C") == "$1" ]]
}

# state WANTED: what the host's command says of the drive.
state()
{
	equal state "$(host lungfish list --raw --noheadings -o STATE drive)" "$1"
}

# no_disc ASCQ-WORDS: everything that needs a disc says that there is none.
no_disc()
{
	local cdb
	for cdb in "00 00 00 00 00 00" "25 00 00 00 00 00 00 00 00 00" "28 00 00 00 00 00 00 00 01 00" \
		"43 00 00 00 00 00 00 00 14 00" "51 00 00 00 00 00 00 00 22 00" "52 01 00 00 00 01 00 00 24 00" \
		"be 00 00 00 00 10 00 00 01 10 00 00"; do
		refuses 2 "Medium not present.*$2" sg_raw -r 2048 -o /tmp/back "$1" $cdb
	done
}

# What the generic device of the second initiator was told before is not of the check to come.
quiet()
{
	local tries
	for tries in 1 2 3; do
		sg_raw "$G2" 00 00 00 00 00 00 || true
		sg_raw -r 8 -o /tmp/back "$G2" 4a 01 00 00 10 00 00 00 08 00 || true
	done
}

event_is()
{
	raw "$G2" 8 4a 01 00 00 10 00 00 00 08 00
	equal event "$((0x$(back 4 1) & 0x0f))" "$1"
}

empty_drive_says_so()
{
	no_disc "$(sg_of "$EMPTY")" ''
	attribute "$EMPTY" removable 1
	status 2 blkid -p "/dev/$EMPTY"
	refuses 1 'No medium found' dd if="/dev/$EMPTY" of=/dev/null bs=2048 count=1
}

empty_drive_answers_what_needs_no_disc()
{
	local device
	device=$(sg_of "$EMPTY")
	sg_inq "$device"
	sg_requests "$device"
	raw "$device" 8 46 00 00 00 00 00 00 00 08 00
	equal current_profile "$(back 6 2)" 0000
	raw "$device" 8 4a 01 00 00 10 00 00 00 08 00
	equal present "$((0x$(back 5 1) & 2))" 0
	raw "$device" 128 5a 08 2a 00 00 00 00 00 80 00
	raw "$device" 8 bd 00 00 00 00 00 00 00 00 08 00 00
	sg_raw "$device" 1e 00 00 00 00 00
}

locked_door_stays_closed()
{
	sg_prevent --prevent=1 "$G2"
	refuses 5 'Medium removal prevented' sg_raw "$G" 1b 00 00 00 02 00
	refuses 5 'Medium removal prevented' sg_raw "$G2" 1b 00 00 00 02 00
	raw "$G" 8 bd 00 00 00 00 00 00 00 00 08 00 00
	label LUNGFISH_ONE
	state ready
}

lock_ends_with_a_reset()
{
	sg_reset --no-esc --device "$G2"
	settle "$G"
	# udev, which hears of the reset, may lock it for this initiator once more in between.
	within 60 unlocked_and_open
	state empty
	sg_raw "$G" 1b 00 00 00 03 00
	within 60 label LUNGFISH_ONE
}

unlocked_and_open()
{
	sg_prevent --allow "$G" && sg_raw "$G" 1b 00 00 00 02 00
}

# udev locks the door when it sees a disc. The host asks, the kernel hears of it, and udev opens the door.
host_asks_and_the_guest_ejects()
{
	settle_udev
	: >/tmp/events
	status 4 host lungfish eject drive
	within 60 told DISK_EJECT_REQUEST=1
	within 60 state empty
	eject -t "/dev/$C"
	within 60 label LUNGFISH_ONE
}

host_asks_and_another_initiator_holds_the_disc()
{
	settle_udev
	quiet
	sg_prevent --prevent=1 "$G2"
	: >/tmp/events
	status 4 host lungfish eject drive
	within 60 told DISK_EJECT_REQUEST=1
	settle_udev
	state ready
	label LUNGFISH_ONE
	quiet
	sg_prevent --allow "$G2"
}

# The kernel looks twice a second; what it found is in udev's hands then.
settle_udev()
{
	sleep 1
	udevadm settle
}

guest_ejects()
{
	quiet
	sg_prevent --allow "$G2"
	: >/tmp/events
	eject "/dev/$C"
	state empty
	no_disc "$G" 'tray open'
	event_is 3
}

open_drive_is_empty_for_the_kernel()
{
	refuses 1 'No medium found' dd if="/dev/$C" of=/dev/null bs=2048 count=1
	status 2 blkid -p "/dev/$C"
	raw "$G" 8 46 00 00 00 00 00 00 00 08 00
	equal current_profile "$(back 6 2)" 0000
	raw "$G" 8 bd 00 00 00 00 00 00 00 00 08 00 00
	equal door_open "$((0x$(back 1 1) & 0x10))" 16
	raw "$G2" 8 4a 01 00 00 10 00 00 00 08 00
	equal door_open_and_empty "$((0x$(back 5 1) & 3))" 1
}

open_drive_is_empty_for_udev()
{
	local text
	within 60 told 'ID_CDROM=1'
	udevadm settle
	text=$(udevadm info --query=property "/dev/$C")
	[[ $text != *ID_CDROM_MEDIA* && $text != *ID_FS_LABEL* ]]
	[[ ! -e /dev/disk/by-label/LUNGFISH_ONE || $(readlink -f /dev/disk/by-label/LUNGFISH_ONE) != "/dev/$C" ]]
}

# told PATTERN: udev has told of the drive since /tmp/events was emptied.
told()
{
	grep -q -e "$1" /tmp/events
}

guest_loads()
{
	quiet
	: >/tmp/events
	eject -t "/dev/$C"
	within 60 label LUNGFISH_ONE
	state ready
	refuses 6 'medium may have changed' ready_second
	ready_second
	event_is 2
	within 60 told DISK_MEDIA_CHANGE=1
	within 60 told ID_FS_LABEL=LUNGFISH_ONE
	attribute "$C" size $((BLOCKS * 4))
	equal sum "$(sum_of "/dev/$C")" "$(host sum one.iso)"
}

# The kernel closes the door for whoever opens the device, if it may.
opening_loads()
{
	sg_prevent --allow "$G"
	eject "/dev/$C"
	state empty
	echo 1 >/proc/sys/dev/cdrom/autoclose
	dd if="/dev/$C" of=/tmp/back bs=2048 skip=16 count=1 status=none
	echo 0 >/proc/sys/dev/cdrom/autoclose
	state ready
	equal identifier "$(bytes_of /tmp/back 0 6)" 014344303031
}

ready_second()
{
	sg_raw "$G2" 00 00 00 00 00 00
}

host_inserts_another_disc()
{
	dd if="/dev/$C" of=/dev/null bs=1M status=none
	quiet
	: >/tmp/events
	host lungfish insert --force drive two.iso
	refuses 6 'medium may have changed' ready_second
	within 60 label LUNGFISH_TWO
	within 60 told DISK_MEDIA_CHANGE=1
	within 60 told ID_FS_LABEL=LUNGFISH_TWO
	attribute "$C" size $(($(blocks_of_image two.iso) * 4))
}

other_disc_is_not_read_from_the_old_cache()
{
	equal sum "$(sha256sum "/dev/$C" | cut -d ' ' -f 1)" "$(host sum two.iso)"
	mount -t iso9660 "/dev/$C" /mnt
	(cd /mnt && sha256sum --quiet --strict -c SUMS)
	umount /mnt
	has "$(wodim dev="/dev/$C" -toc 2>&1)" "^track:lout lba: +$(blocks_of_image two.iso) \\("
}

host_ejects()
{
	sg_prevent --allow "$G"
	sg_prevent --allow "$G2"
	quiet
	: >/tmp/events
	host lungfish eject --force drive
	state empty
	refuses 2 'Medium not present' settle_second
	within 60 told ID_CDROM=1
	refuses 1 'No medium found' dd if="/dev/$C" of=/dev/null bs=2048 count=1
}

settle_second()
{
	ready_second || ready_second
}

host_inserts_into_the_empty_drive()
{
	: >/tmp/events
	host lungfish insert drive one.iso
	within 60 label LUNGFISH_ONE
	within 60 told ID_FS_LABEL=LUNGFISH_ONE
	equal sum "$(sum_of "/dev/$C")" "$(host sum one.iso)"
}

host_inserts_into_the_drive_that_never_had_a_disc()
{
	: >/tmp/events
	host lungfish insert cdrom two.iso
	within 60 told "DEVNAME=/dev/$EMPTY"
	within 60 told ID_FS_LABEL=LUNGFISH_TWO
	equal sum "$(sum_of "/dev/$EMPTY")" "$(host sum two.iso)"
}

disc_torn_out_of_a_mount_is_an_error_and_no_more()
{
	mount -t iso9660 "/dev/$C" /mnt
	host lungfish eject --force drive
	status 1 dd if="/mnt/large" of=/dev/null bs=1M iflag=direct
	umount /mnt
	host lungfish insert drive one.iso
	within 60 label LUNGFISH_ONE
	equal sum "$(sum_of "/dev/$C")" "$(host sum one.iso)"
}

udevadm monitor --udev --property --subsystem-match=block >/tmp/events &
monitor=$!
echo 0 >/proc/sys/dev/cdrom/autoclose
kernel_may_say 'I/O error(,| on) dev sr[0-9]+' # of a disc that is torn out, or exchanged while udev reads it
for name in empty_drive_says_so empty_drive_answers_what_needs_no_disc locked_door_stays_closed \
	lock_ends_with_a_reset host_asks_and_the_guest_ejects host_asks_and_another_initiator_holds_the_disc guest_ejects \
	open_drive_is_empty_for_the_kernel open_drive_is_empty_for_udev guest_loads opening_loads host_inserts_another_disc other_disc_is_not_read_from_the_old_cache \
	host_ejects host_inserts_into_the_empty_drive host_inserts_into_the_drive_that_never_had_a_disc \
	disc_torn_out_of_a_mount_is_an_error_and_no_more; do
	check "$name"
done
kill $monitor
