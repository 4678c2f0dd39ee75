# SPDX-License-Identifier: BSD-2-Clause
# mmc.sh: the commands of MMC-6, byte by byte.

toc_in_blocks()
{
	brings 20 "00120101""0014010000000000""0014aa00$(big_endian "$BLOCKS")" 43 00 00 00 00 00 00 00 14 00
	brings 20 "00120101""0014010000000000""0014aa00$(big_endian "$BLOCKS")" 43 00 00 00 00 00 01 00 14 00
}

toc_in_time()
{
	brings 20 "00120101""0014010000000200""0014aa00$(msf "$BLOCKS")" 43 02 00 00 00 00 00 00 14 00
}

toc_of_the_lead_out()
{
	brings 12 "000a0101""0014aa00$(big_endian "$BLOCKS")" 43 00 00 00 00 00 aa 00 0c 00
	brings 12 "000a0101""0014aa00$(msf "$BLOCKS")" 43 02 00 00 00 00 aa 00 0c 00
}

toc_of_a_track_that_is_not_there_is_refused()
{
	refuses 5 'Invalid field in cdb' raw "$G" 20 43 00 00 00 00 00 02 00 14 00
}

toc_of_sessions()
{
	brings 12 "000a0101""0014010000000000" 43 00 01 00 00 00 00 00 0c 00
	brings 12 "000a0101""0014010000000200" 43 02 01 00 00 00 00 00 0c 00
}

toc_of_sessions_by_the_old_bits()
{
	brings 12 "000a0101""0014010000000000" 43 00 00 00 00 00 00 00 0c 40
}

# Session, ADR and CONTROL, TNO, POINT, running time, zero, and the time that POINT means; A2h has the lead-out.
toc_in_full()
{
	local out
	out=$(msf "$BLOCKS")
	brings 48 "002e0101""011400a000000000010000""011400a100000000010000""011400a200000000${out:2}""0114000100000000000200" \
		43 02 02 00 00 00 01 00 30 00
}

toc_of_formats_that_only_recorders_have_is_refused()
{
	refuses 5 'Invalid field in cdb' raw "$G" 20 43 00 03 00 00 00 00 00 14 00
	refuses 5 'Invalid field in cdb' raw "$G" 20 43 02 04 00 00 00 00 00 14 00
	refuses 5 'Invalid field in cdb' raw "$G" 20 43 00 07 00 00 00 00 00 14 00
}

toc_truncates()
{
	raw "$G" 4 43 00 00 00 00 00 00 00 04 00
	equal header "$BACK" 00120101
}

configuration_is_of_a_cd()
{
	local text
	text=$(sg_get_config "$G")
	has "$text" 'Current profile: CD-ROM' 'profile: CD-ROM , currentP=1' 'Core feature' 'Removable media feature' \
		'Random readable feature' 'CD read feature' 'Multi-read feature' 'Loading mechanism: Tray type' 'Eject=1.* Lock=1'
	raw "$G" 8 46 00 00 00 00 00 00 00 08 00
	equal current_profile "$(back 6 2)" 0008
}

configuration_of_one_feature()
{
	# Removable medium (3): a tray that loads, ejects and locks.
	raw "$G" 64 46 02 00 03 00 00 00 00 40 00
	equal length "$(back 0 4)" 0000000c
	equal feature "$(back 8 2)" 0003
	has "$(back 12 1)" '^[23][19b]$'
	# CD read (1Eh), which is current.
	raw "$G" 64 46 02 00 1e 00 00 00 00 40 00
	equal feature "$(back 8 2)" 001e
	equal current "$((0x$(back 10 1) & 1))" 1
	# None at all: a header alone.
	raw "$G" 64 46 02 00 20 00 00 00 00 40 00
	equal length "$(back 0 4)" 00000004
}

configuration_lengths_are_true()
{
	local total at=8
	raw "$G" 1024 46 00 00 00 00 00 00 04 00 00
	total=$((0x$(back 0 4) + 4))
	equal length "$(stat -c %s /tmp/back)" $total
	while ((at < total)); do
		equal multiple_of_4 $((0x$(back $((at + 3)) 1) % 4)) 0
		at=$((at + 4 + 0x$(back $((at + 3)) 1)))
	done
	equal end $at $total
}

event_status_of_the_medium()
{
	raw "$G2" 8 4a 01 00 00 10 00 00 00 08 00
	raw "$G2" 8 4a 01 00 00 10 00 00 00 08 00
	equal header "$(back 0 3)" 000604
	equal media_class "$((0x$(back 3 1) & 0x10))" 16
	equal event "$(back 4 4)" 00020000
}

event_status_of_no_class()
{
	raw "$G2" 8 4a 01 00 00 00 00 00 00 08 00
	equal none_available "$((0x$(back 2 1) & 0x80))" 128
	equal length "$(back 0 2)" 0002
}

event_status_without_polling_is_refused()
{
	refuses 5 'Invalid field in cdb' raw "$G2" 8 4a 00 00 00 10 00 00 00 08 00
}

disc_information()
{
	raw "$G" 34 51 00 00 00 00 00 00 00 22 00
	has "$(back 0 12)" '^0020'
	# Complete, last session complete, not erasable; one session, one track.
	equal status "$((0x$(back 2 1) & 0x1f))" $((0x0e))
	equal tracks_and_sessions "$(back 3 4)" 01010101
	equal disc_type "$(back 8 1)" 00
}

track_information()
{
	local kind
	for kind in "01 00 00 00 01" "00 00 00 00 10" "02 00 00 00 01"; do
		raw "$G" 36 52 $kind 00 00 24 00
		equal number_and_session "$(back 2 2)" 0101
		equal track_mode "$((0x$(back 5 1) & 0x0f))" 4
		equal data_mode "$((0x$(back 6 1) & 0x0f))" 1
		equal start "$(back 8 4)" 00000000
		equal size "$(back 24 4)" "$(big_endian "$BLOCKS")"
	done
}

track_information_of_no_track_is_refused()
{
	refuses 5 'Invalid field in cdb' raw "$G" 36 52 01 00 00 00 02 00 00 24 00
	refuses 5 'Invalid field in cdb' raw "$G" 36 52 01 00 00 00 ff 00 00 24 00
}

mechanism_is_a_closed_tray()
{
	raw "$G" 8 bd 00 00 00 00 00 00 00 00 08 00 00
	equal door "$((0x$(back 1 1) & 0x10))" 0
	equal slots "$(back 5 3)" 000000
}

read_cd_of_user_data()
{
	raw "$G" 4096 be 00 00 00 00 10 00 00 02 10 00 00
	equal sum "$(sha256sum </tmp/back)" "$(dd if="/dev/$C" bs=2048 skip=16 count=2 status=none | sha256sum)"
	raw "$G" 2048 be 08 00 00 00 10 00 00 01 10 00 00
	equal sum "$(sha256sum </tmp/back)" "$(dd if="/dev/$C" bs=2048 skip=16 count=1 status=none | sha256sum)"
	refuses 5 'Illegal mode for this track' raw "$G" 2352 be 04 00 00 00 10 00 00 01 10 00 00
}

capabilities_page()
{
	raw "$G" 128 5a 08 2a 00 00 00 00 00 80 00
	equal page "$((0x$(back 8 1) & 0x3f))" 42
	# Byte 3 of the page says what it writes: nothing. Byte 6: a tray (001b) that ejects and locks.
	equal writes "$(back 11 1)" 00
	equal mechanism "$((0x$(back 14 1) >> 5))" 1
	equal eject_and_lock "$((0x$(back 14 1) & 0x09))" 9
	raw "$G" 128 1a 08 2a 00 80 00
	equal page "$((0x$(back 4 1) & 0x3f))" 42
}

opcodes_are_listed()
{
	local text name
	text=$(sg_opcodes "$G")
	shopt -s nocasematch
	for name in 'Test Unit Ready' 'Read\(10\)' 'Read\(12\)' 'Read TOC' 'Get configuration' \
		'Get event status notification' 'Read dis[ck] information' 'Read track information' 'Mechanism status' \
		'Start stop unit' 'Prevent allow medium removal' 'Set CD speed' 'Read cd$'; do
		has "$text" "$name" || return 1
	done
}

read_past_the_end_is_refused()
{
	refuses 22 'Logical block address out of range' raw "$G" 2048 28 00 $(in_cdb "$BLOCKS") 00 00 01 00
	refuses 22 'Logical block address out of range' \
		raw "$G" 4096 28 00 $(in_cdb $((BLOCKS - 1))) 00 00 02 00
	refuses 22 'Logical block address out of range' raw "$G" 2048 28 00 00 ff ff f0 00 00 01 00
	refuses 22 'Logical block address out of range' raw "$G" 2048 a8 00 ff ff ff ff 00 00 00 01 00 00
}

kernel_keeps_its_idea_of_the_disc()
{
	local code=0
	dd if="/dev/$C" of=/dev/null bs=2048 skip=$BLOCKS count=1 iflag=direct
	attribute "$C" size $((BLOCKS * 4))
	equal bytes "$(blockdev --getsize64 "/dev/$C")" $((BLOCKS * 2048))
	equal sum "$(sum_of "/dev/$C")" "$(host sum one.iso)"
}

writes_are_refused()
{
	local code=0
	head -c 2048 /dev/urandom >/tmp/block
	sg_raw -s 2048 -i /tmp/block "$G" 2a 00 00 00 00 10 00 00 01 00 || code=$?
	((code == 7 || code == 9))
	equal sum "$(sum_of "/dev/$C")" "$(host sum one.iso)"
}

bits_of_an_old_lun_are_ignored()
{
	# SCSI-2 hosts put the LUN into bits 7-5 of byte 1.
	raw "$G" 8 25 40 00 00 00 00 00 00 00 00
	equal last_block "$(back 0 4)" "$(big_endian $((BLOCKS - 1)))"
	raw "$G" 12 43 40 00 00 00 00 aa 00 0c 00
	sg_raw "$G" 00 40 00 00 00 00
}

for name in toc_in_blocks toc_in_time toc_of_the_lead_out toc_of_a_track_that_is_not_there_is_refused toc_of_sessions \
	toc_of_sessions_by_the_old_bits toc_in_full toc_of_formats_that_only_recorders_have_is_refused toc_truncates \
	configuration_is_of_a_cd configuration_of_one_feature configuration_lengths_are_true event_status_of_the_medium \
	event_status_of_no_class event_status_without_polling_is_refused disc_information track_information \
	track_information_of_no_track_is_refused mechanism_is_a_closed_tray read_cd_of_user_data capabilities_page \
	opcodes_are_listed read_past_the_end_is_refused kernel_keeps_its_idea_of_the_disc writes_are_refused \
	bits_of_an_old_lun_are_ignored; do
	check "$name"
done
