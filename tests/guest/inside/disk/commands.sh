# SPDX-License-Identifier: BSD-2-Clause
# commands.sh: sg3_utils, command by command. Exit statuses of sg3_utils: 5 ILLEGAL REQUEST, 7 DATA PROTECT, 9 no such
# command, 14 MISCOMPARE, 22 LBA out of range, 24 RESERVATION CONFLICT.

unit_is_ready()
{
	sg_turs "$G"
	sg_turs --number=20 "$GN"
}

capacity_of_512e()
{
	local text
	text=$(sg_readcap --long "$G")
	has "$text" 'Last LBA=2097151 ' 'Number of logical blocks=2097152' 'Logical block length=512 bytes' \
		'per physical block exponent=3 ' 'prot_en=0' 'lbpme=1, lbprz=1' 'Lowest aligned LBA=0'
	says 'Last LBA=2097151 .*Number of logical blocks=2097152|Last LBA=2097151' sg_readcap "$G"
}

capacity_of_4kn()
{
	local text
	text=$(sg_readcap --long "$GN")
	has "$text" 'Last LBA=131071 ' 'Logical block length=4096 bytes' 'per physical block exponent=0'
}

luns_are_reported()
{
	local text
	text=$(sg_luns "$G")
	has "$text" '^Lun list length = 24 ' '^ +0000000000000000$' '^ +0001000000000000$' '^ +0002000000000000$'
}

request_sense_has_none()
{
	says 'Sense key: No Sense' sg_requests "$G"
	says 'Descriptor format, current' sg_requests --desc "$G"
}

unknown_opcode_is_refused()
{
	refuses 9 'Invalid command operation code' sg_raw "$G" c1 00 00 00 00 00
}

reserved_bit_is_refused_with_its_place()
{
	refuses 5 'byte 2 bit 7|byte 2' sg_raw "$G" 00 00 80 00 00 00
}

read_past_the_end_is_refused()
{
	refuses 22 'Logical block address out of range' sg_raw -r 512 -o /tmp/back "$G" 28 00 00 20 00 00 00 00 01 00
	refuses 22 'Logical block address out of range' sg_raw -r 1024 -o /tmp/back "$G" 28 00 00 1f ff ff 00 00 02 00
	sg_raw -r 512 -o /tmp/back "$G" 28 00 00 1f ff ff 00 00 01 00
}

write_in_each_length_is_read_in_each()
{
	put 5000 /tmp/zero
	for cdb in "0a 00 13 88 01 00" "2a 00 00 00 13 88 00 00 01 00" "aa 00 00 00 13 88 00 00 00 01 00 00" \
		"8a 00 00 00 00 00 00 00 13 88 00 00 00 01 00 00"; do
		sg_raw -s 512 -i /tmp/one "$G" $cdb
		for back in "08 00 13 88 01 00" "28 00 00 00 13 88 00 00 01 00" \
			"a8 00 00 00 13 88 00 00 00 01 00 00" "88 00 00 00 00 00 00 00 13 88 00 00 00 01 00 00"; do
			sg_raw -r 512 -o /tmp/back "$G" $back
			cmp /tmp/back /tmp/one
		done
		put 5000 /tmp/zero
	done
}

write_with_fua()
{
	sg_raw -s 512 -i /tmp/two "$G" 2a 08 00 00 13 88 00 00 01 00
	sg_raw -r 512 -o /tmp/back "$G" 28 18 00 00 13 88 00 00 01 00
	cmp /tmp/back /tmp/two
}

modes_are_listed()
{
	local text
	text=$(sg_modes -a "$G")
	has "$text" 'DpoFua=1' 'WP=0' 'Read-Write error recovery' 'Caching' 'Control' 'Informational exceptions' \
		'^ 00 +88? ?12 0[46]|^ 00 +[08]8 12 04'
	for page in 0x01 0x08 0x0a 0x1c; do
		for control in 0 1 2; do
			sg_modes --page=$page --control=$control "$G"
		done
	done
	refuses 5 'illegal request|invalid field|not supported' sg_modes --page=0x2a "$G"
}

modes_of_six_and_ten_bytes_are_the_same()
{
	cmp <(sg_modes --six --page=8 "$G" | sed -n '/Caching/,$p') <(sg_modes --page=8 "$G" | sed -n '/Caching/,$p')
}

# Caching page as now, with WCE (bit 2 of byte 2) set to 0 or 1.
caching_page()
{
	local page
	page=$(sg_modes --page=8 --raw --dbd "$G" | od -An -v -tx1 -j 8 -w20)
	read -ra page <<<"$page"
	page[2]=$(printf '%02x' $((0x${page[2]} & ~4 | $1 << 2)))
	local IFS=,
	echo "${page[*]}"
}

mode_select_turns_the_write_cache_off_and_on()
{
	sg_wr_mode --page=8 --contents="$(caching_page 0)" "$G"
	says 'WCE +0|^ 00 +[08]8 12 00' sg_modes --page=8 "$G"
	sg_wr_mode --page=8 --contents="$(caching_page 1)" "$G"
	says '^ 00 +[08]8 12 04' sg_modes --page=8 "$G"
}

mode_select_is_told_to_the_other_initiator()
{
	settle "$G2"
	sg_wr_mode --page=8 --contents="$(caching_page 0)" "$G"
	refuses 6 'Mode parameters changed' ready "$G2"
	sg_wr_mode --page=8 --contents="$(caching_page 1)" "$G"
	settle "$G2"
}

mode_select_refuses_what_cannot_change()
{
	refuses 5 'Invalid field in parameter list' sg_wr_mode -v --page=0x0a \
		--contents=0a,0a,22,10,00,00,00,00,ff,ff,00,00 --mask=00,00,e0 "$G"
}

descriptor_sense_comes_when_asked_for()
{
	sg_wr_mode --page=0x0a --contents=0a,0a,06,10,00,00,00,00,ff,ff,00,00 --mask=00,00,04 "$G"
	refuses 9 'Descriptor format, current' sg_raw "$G" c1 00 00 00 00 00
	sg_wr_mode --page=0x0a --contents=0a,0a,02,10,00,00,00,00,ff,ff,00,00 --mask=00,00,04 "$G"
	refuses 9 'Fixed format, current' sg_raw "$G" c1 00 00 00 00 00
}

kernel_turns_the_write_cache_off_and_on()
{
	local type
	type=$(echo /sys/block/"$D"/device/scsi_disk/*/cache_type)
	echo 'write through' >"$type"
	equal cache_type "$(<"$type")" 'write through'
	attribute "$D" queue/write_cache 'write through'
	says '^ 00 +[08]8 12 00' sg_modes --page=8 "$G"
	put 6000 /tmp/one
	is 6000 /tmp/one
	echo 'write back' >"$type"
	attribute "$D" queue/write_cache 'write back'
	says '^ 00 +[08]8 12 04' sg_modes --page=8 "$G"
}

write_cache_of_the_command_is_seen_by_the_kernel()
{
	sg_wr_mode --page=8 --contents="$(caching_page 0)" "$G"
	echo 1 >"/sys/block/$D/device/rescan"
	attribute "$D" queue/write_cache 'write through'
	sg_wr_mode --page=8 --contents="$(caching_page 1)" "$G"
	echo 1 >"/sys/block/$D/device/rescan"
	attribute "$D" queue/write_cache 'write back'
}

every_supported_log_page_is_read()
{
	local page
	has " $(sg_logs --page=0 --raw "$G" | od -An -v -tx1 -j 4 | tr '\n' ' ') " '00 .*0c 0d .*15 .*19 .*2f'
	for page in $(sg_logs --page=0 --raw "$G" | od -An -v -tx1 -j 4); do
		sg_logs --page="0x$page" "$G"
		equal page_code "$(bytes_of <(sg_logs --page="0x$page" --raw "$G") 0 1)" "$page"
	done
	sg_logs --all "$G"
	refuses 5 'illegal request|invalid field|not supported' sg_logs --page=0x3a "$G"
}

log_of_statistics_counts_commands()
{
	local before after
	before=$((0x$(bytes_of <(sg_logs --page=0x19 --raw "$G") 8 8)))
	sg_raw -r 512 -o /tmp/back "$G" 28 00 00 00 00 00 00 00 01 00
	sg_raw -r 512 -o /tmp/back "$G" 28 00 00 00 00 00 00 00 01 00
	after=$((0x$(bytes_of <(sg_logs --page=0x19 --raw "$G") 8 8)))
	equal reads "$after" $((before + 2))
}

log_of_provisioning_names_resources()
{
	says 'Available LBA mapping resource count|Used LBA mapping' sg_logs --page=0x0c "$G"
}

log_of_temperature_and_exceptions()
{
	says 'Current temperature' sg_logs --page=0x0d "$G"
	says 'IE asc = 0x0' sg_logs --page=0x2f "$G"
}

opcodes_are_listed()
{
	local text name
	text=$(sg_opcodes "$G")
	for name in 'Test Unit Ready' 'Inquiry' 'Read capacity\(10\)' 'Read\(10\)' 'Write\(10\)' 'Write\(16\)' 'Unmap' \
		'Write same\(16\)' 'Compare and write' 'Get LBA status' 'Synchronize cache\(10\)' 'Verify\(16\)' \
		'Persistent reserve in, read full status' 'Persistent reserve out, preempt and abort' 'Mode select\(10\)' \
		'Log sense' 'Report supported task management functions' 'Start stop unit' 'Write and verify\(10\)' \
		'Pre-fetch\(10\)' 'Write atomic\(16\)' 'Read buffer|Data in Read Buffer'; do
		shopt -s nocasematch
		has "$text" "$name" || return 1
	done
}

opcode_is_described()
{
	local text
	text=$(sg_opcodes --opcode=0x28 "$G")
	has "$text" 'Usage data: 28 18 ff ff ff ff [0-9a-f]{2} ff ff 00' 'supported .conforming to SCSI standard.'
	has "$(sg_opcodes --opcode=0xc1 "$G")" 'NOT supported'
	has "$(sg_opcodes --opcode=0x9e --sa=0x10 "$G")" '[0-9a-f ]*9e 10 '
}

task_management_functions_are_listed()
{
	local text
	text=$(sg_opcodes --tmf "$G")
	has "$text" 'Abort task$' 'Abort task set' 'Clear task set' 'Logical unit reset' 'I_T nexus reset' 'Query task$' \
		'Query task set' 'Query async'
}

verify_reads()
{
	sg_verify --lba=0 --count=2048 "$G"
	sg_verify --16 --lba=2097151 --count=1 "$G"
	refuses 22 'out of range' sg_verify --lba=2097151 --count=2 "$G"
}

verify_compares()
{
	put 7000 /tmp/one-two
	sg_verify --ndo=1024 --in=/tmp/one-two --lba=7000 --count=2 "$G"
	sg_verify --16 --ndo=1024 --in=/tmp/one-two --lba=7000 --count=2 "$G"
	refuses 14 'Miscompare' sg_verify -v --ndo=1024 --in=/tmp/two-one --lba=7000 --count=2 "$G"
}

write_and_verify_writes()
{
	put 7100 /tmp/zero
	sg_write_verify --in=/tmp/one-two --ilen=1024 --lba=7100 --num=2 "$G"
	is 7100 /tmp/one-two
	sg_write_verify --16 --bytchk=1 --in=/tmp/two-one --ilen=1024 --lba=7100 --num=2 "$G"
	is 7100 /tmp/two-one
}

compare_and_write_writes_what_matches()
{
	put 7200 /tmp/one
	sg_compare_and_write --in=/tmp/one-two --lba=7200 --num=1 "$G"
	is 7200 /tmp/two
}

compare_and_write_stops_at_a_difference()
{
	put 7200 /tmp/one
	refuses 14 'Miscompare' sg_compare_and_write -v --in=/tmp/two-one --lba=7200 --num=1 "$G"
	is 7200 /tmp/one
}

compare_and_write_says_where()
{
	{
		head -c 300 /tmp/one
		printf "\\x$(printf '%02x' $((0x$(bytes_of /tmp/one 300 1) ^ 1)))"
		tail -c +302 /tmp/one
		cat /tmp/two
	} >/tmp/differs
	put 7200 /tmp/one
	equal length "$(stat -c %s /tmp/differs)" 1024
	refuses 14 'Info fld=0x12c|info.*0x12c|\[300\]' sg_compare_and_write -v --in=/tmp/differs --lba=7200 --num=1 "$G"
	is 7200 /tmp/one
}

compare_and_write_has_a_limit()
{
	local most
	most=$(sg_vpd --page=bl "$G" | sed -n 's/.*Maximum compare and write length: \([0-9]*\) .*/\1/p')
	((most >= 1 && most < 256))
	head -c $(((most + 1) * 1024)) /dev/zero >/tmp/long
	refuses 5 'Invalid field in cdb' sg_compare_and_write -v --in=/tmp/long --lba=8000 --num=$((most + 1)) "$G"
}

or_write_sets_bits()
{
	put 7300 /tmp/one
	sg_write_x --or --16 --in=/tmp/two --lba=7300 --num=1 "$G"
	sg_raw -r 512 -o /tmp/back "$G" 28 00 00 00 1c 84 00 00 01 00
	paste <(od -An -v -tu1 -w1 /tmp/one) <(od -An -v -tu1 -w1 /tmp/two) <(od -An -v -tu1 -w1 /tmp/back) |
		while read -r a b c; do
			((c == (a | b)))
		done
}

atomic_write_writes()
{
	put 7304 /tmp/zero
	head -c 4096 /tmp/random >/tmp/eight
	sg_write_x --atomic=0 --16 --in=/tmp/eight --lba=7304 --num=8 "$G"
	is 7304 /tmp/eight
}

cache_is_synchronized()
{
	sg_sync "$G"
	sg_sync --16 --lba=100 --count=50 "$G"
	refuses 22 'out of range' sg_sync -v --lba=2097152 --count=1 "$G"
	sg_sync "$GR"
}

prefetch_is_good()
{
	local code=0
	sg_raw "$G" 34 00 00 00 00 00 00 00 08 00 || code=$?
	# CONDITION MET says that all of it was in the cache.
	((code == 0 || code == 25))
	refuses 22 'out of range' sg_raw "$G" 34 00 00 20 00 00 00 00 01 00
}

defects_are_none()
{
	sg_raw -r 8 -o /tmp/back "$G" 37 00 1d 00 00 00 00 00 08 00 || (($? == 21))
	equal length "$(bytes_of /tmp/back 2 2)" 0000
}

buffer_is_written_and_read()
{
	sg_raw -r 4 -o /tmp/back "$G" 3c 03 00 00 00 00 00 00 04 00
	((0x$(bytes_of /tmp/back 1 3) >= 512))
	sg_write_buffer --mode=data --in=/tmp/one --length=512 "$G"
	sg_raw -r 512 -o /tmp/back "$G" 3c 02 00 00 00 00 00 02 00 00
	cmp /tmp/back /tmp/one
	refuses 5 'Invalid field in cdb' sg_write_buffer -v --mode=dmc --in=/tmp/one --length=512 "$G"
}

stopped_unit_is_not_ready_until_started()
{
	sg_start --stop "$G"
	refuses 2 'initializing command required' ready "$G"
	refuses 2 'initializing command required' sg_raw -r 512 -o /tmp/back "$G" 28 00 00 00 00 00 00 00 01 00
	sg_start --start "$G"
	sg_turs "$G"
}

mandatory_commands_are_there()
{
	scsi_mandat "$G"
}

for name in unit_is_ready capacity_of_512e capacity_of_4kn luns_are_reported request_sense_has_none \
	unknown_opcode_is_refused reserved_bit_is_refused_with_its_place read_past_the_end_is_refused \
	write_in_each_length_is_read_in_each write_with_fua modes_are_listed modes_of_six_and_ten_bytes_are_the_same \
	mode_select_turns_the_write_cache_off_and_on mode_select_is_told_to_the_other_initiator \
	mode_select_refuses_what_cannot_change descriptor_sense_comes_when_asked_for \
	kernel_turns_the_write_cache_off_and_on \
	write_cache_of_the_command_is_seen_by_the_kernel every_supported_log_page_is_read \
	log_of_statistics_counts_commands log_of_provisioning_names_resources log_of_temperature_and_exceptions \
	opcodes_are_listed opcode_is_described task_management_functions_are_listed verify_reads verify_compares \
	write_and_verify_writes compare_and_write_writes_what_matches compare_and_write_stops_at_a_difference \
	compare_and_write_says_where compare_and_write_has_a_limit or_write_sets_bits atomic_write_writes \
	cache_is_synchronized prefetch_is_good defects_are_none buffer_is_written_and_read \
	stopped_unit_is_not_ready_until_started mandatory_commands_are_there; do
	check "$name"
done
