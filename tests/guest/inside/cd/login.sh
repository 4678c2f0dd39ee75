# SPDX-License-Identifier: BSD-2-Clause
# login.sh: two initiators log in; the second looks on by its generic device only, without
# the driver sr and without udev, which would take the news away.

# raw DEVICE LENGTH CDB-BYTE...: a command by sg_raw; what it brings is in /tmp/back, and in hexadecimal in BACK.
raw()
{
	rm -f /tmp/back
	sg_raw -r "$2" -o /tmp/back "$1" "${@:3}" || return
	BACK=$(bytes_of /tmp/back 0 "$2")
}

# back OFFSET COUNT: of these bytes, without spaces.
back()
{
	echo "${BACK:$1 * 2:$2 * 2}"
}

# brings LENGTH WANTED CDB-BYTE...: a command to the drive brings exactly these bytes, in hexadecimal without spaces.
brings()
{
	raw "$G" "$1" "${@:3}"
	equal "$*" "$BACK" "$2"
}

# big_endian NUMBER: four bytes in hexadecimal. in_cdb NUMBER: the same, as sg_raw takes them.
big_endian()
{
	printf '%08x' "$1"
}

in_cdb()
{
	printf '%02x %02x %02x %02x' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255))
}

# The same address as minute, second, frame, in four bytes.
msf()
{
	local frames=$(($1 + 150))
	printf '00%02x%02x%02x' $((frames / 4500)) $((frames / 75 % 60)) $((frames % 75))
}

# A disc's facts, from its image on the host.
blocks_of_image()
{
	echo $(($(host size "$1") / 2048))
}

drive_appears()
{
	initiator first
	login first
	has "$(block_of first 2)" '^sr[0-9]+$'
	has "$(block_of first 1)" '^sr[0-9]+$'
	has "$(block_of first 3)" '^sr[0-9]+$'
}

second_login_has_the_drive_too()
{
	initiator second
	login second
	has "$(block_of second 2)" '^sr[0-9]+$'
}

echo 500 >/sys/module/block/parameters/events_dfl_poll_msecs
start_iscsid
check drive_appears
C=$(block_of first 2)
G=$(sg_of "$C")
BOOT=$(block_of first 1)
EMPTY=$(block_of first 3)
check second_login_has_the_drive_too
G2=$(sg_of "$(block_of second 2)")
for unit in 1 2 3; do
	address_of second $unit >/sys/bus/scsi/drivers/sr/unbind
done
BLOCKS=$(blocks_of_image one.iso)
