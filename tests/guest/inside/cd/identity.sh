# SPDX-License-Identifier: BSD-2-Clause
# identity.sh: what the drive says of itself, and what the kernel and udev make of it.

lsscsi_lists_the_drive()
{
	has "$(lsscsi)" "cd/dvd +LUNGFISH .* /dev/$C *\$"
}

inquiry_is_of_a_drive()
{
	local text
	text=$(sg_inq "$G")
	has "$text" 'PQual=0 +PDT=5 +RMB=1' 'version=0x0[56]' 'Resp_data_format=2|RespDataFmt=2' \
		'Vendor identification: LUNGFISH' 'Product identification: VIRTUAL CD' 'Unit serial number: SERIAL-OF-DRIVE'
	has "$(sg_inq -d "$G")" 'MMC-'
}

every_supported_vpd_page_is_read()
{
	reads_vpd_pages ' 00 80 83 '
}

every_drive_has_a_name_of_its_own()
{
	local one two
	one=$(sg_vpd --page=di -q "$G" | sed -n 's/^ *\(0x[0-9a-f]\{16\}\)$/\1/p')
	two=$(sg_vpd --page=di -q "$(sg_of "$BOOT")" | sed -n 's/^ *\(0x[0-9a-f]\{16\}\)$/\1/p')
	equal length ${#one} 18
	equal length ${#two} 18
	[[ $one != "$two" ]]
	equal by_the_second "$(sg_vpd --page=di -q "$G2" | sed -n 's/^ *\(0x[0-9a-f]\{16\}\)$/\1/p')" "$one"
}

kernel_knows_the_drive()
{
	attribute "$C" removable 1
	attribute "$C" queue/logical_block_size 2048
	attribute "$C" queue/physical_block_size 2048
	attribute "$C" size $((BLOCKS * 4))
	attribute "$C" device/type 5
	has "$(<"/sys/block/$C/events")" 'media_change' 'eject_request'
}

# A line of /proc/sys/dev/cdrom/info has a column for each drive.
kernel_knows_what_the_drive_can()
{
	local names values column=0
	read -ra names <<<"$(sed -n 's/^drive name://p' /proc/sys/dev/cdrom/info)"
	until [[ ${names[column]} == "$C" ]]; do
		((++column < ${#names[@]}))
	done
	while IFS=: read -r name wanted; do
		read -ra values <<<"$(sed -n "s/^$name://p" /proc/sys/dev/cdrom/info)"
		equal "$name" "${values[column]}" "$wanted"
	done <<-'END'
		Can close tray:1
		Can open tray:1
		Can lock tray:1
		Can change speed:1
		Can select disk:0
		Can read multisession:1
		Can write CD-R:0
		Can write CD-RW:0
		Can write DVD-R:0
		Can write DVD-RAM:0
		Can write MRW:0
		Can write RAM:0
	END
}

cdrom_id_knows_drive_and_disc()
{
	local text
	text=$(/lib/udev/cdrom_id "/dev/$C" | grep '^ID_CDROM' | grep -v -e '^ID_CDROM_\(MRW\|BD\|DVD\|HDDVD\|RAM\)=' | sort)
	equal keys "$text" "ID_CDROM=1
ID_CDROM_CD=1
ID_CDROM_MEDIA=1
ID_CDROM_MEDIA_CD=1
ID_CDROM_MEDIA_SESSION_COUNT=1
ID_CDROM_MEDIA_TRACK_COUNT=1
ID_CDROM_MEDIA_TRACK_COUNT_DATA=1"
}

cdrom_id_knows_an_empty_drive()
{
	local text
	text=$(/lib/udev/cdrom_id "/dev/$EMPTY")
	has "$text" '^ID_CDROM=1$' '^ID_CDROM_CD=1$'
	[[ $text != *ID_CDROM_MEDIA* ]]
}

udev_names_drive_and_disc()
{
	local text
	text=$(udevadm info --query=property "/dev/$C")
	has "$text" '^ID_TYPE=cd$' '^ID_VENDOR=LUNGFISH$' '^ID_CDROM_MEDIA_CD=1$' '^ID_FS_TYPE=iso9660$' \
		'^ID_FS_LABEL=LUNGFISH_ONE$' '^ID_SCSI_SERIAL=SERIAL-OF-DRIVE$' 'by-label/LUNGFISH_ONE'
	equal link "$(readlink -f /dev/disk/by-label/LUNGFISH_ONE | sed 's/[0-9]*$//')" /dev/sr
}

blkid_reads_the_label()
{
	has "$(blkid -p -o export "/dev/$C")" '^LABEL=LUNGFISH_ONE$' '^TYPE=iso9660$' '^BLOCK_SIZE=2048$' \
		'^VOLUME_ID=|^APPLICATION_ID=|^UUID='
	has "$(blkid -p -o export "/dev/$BOOT")" '^TYPE=iso9660$|^PTTYPE=' '^UUID='
}

for name in lsscsi_lists_the_drive inquiry_is_of_a_drive every_supported_vpd_page_is_read \
	every_drive_has_a_name_of_its_own kernel_knows_the_drive kernel_knows_what_the_drive_can \
	cdrom_id_knows_drive_and_disc cdrom_id_knows_an_empty_drive udev_names_drive_and_disc blkid_reads_the_label; do
	check "$name"
done
