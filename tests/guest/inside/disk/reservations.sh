# SPDX-License-Identifier: BSD-2-Clause
# reservations.sh: persistent reservations between two initiators, and RESERVE(6). 24 is RESERVATION CONFLICT.

KEY=0x1111aaaa
KEY2=0x2222bbbb

# pr_out DISK OPTION...: PERSISTENT RESERVE OUT
pr_out()
{
	sg_persist --no-inquiry --out "${@:2}" "$1"
}

# pr_in DISK OPTION: PERSISTENT RESERVE IN
pr_in()
{
	sg_persist --no-inquiry --in "$2" "$1"
}

# keys GENERIC KEY...: these are registered, and no others
keys()
{
	equal keys "$(pr_in "$1" --read-keys | sed -n 's/^ *\(0x[0-9a-f]*\)$/\1/p' | sort | tr '\n' ' ')" "${*:2}${2:+ }"
}

reads()
{
	sg_raw -r 512 -o /tmp/back "$1" 28 00 00 00 27 10 00 00 01 00
}

writes()
{
	sg_raw -s 512 -i /tmp/one "$1" 2a 00 00 00 27 10 00 00 01 00
}

conflicts()
{
	refuses 24 'reservation conflict' "$@"
}

clean()
{
	pr_out "$G" --register-ignore --param-sark=$KEY
	pr_out "$G" --clear --param-rk=$KEY
	settle "$G"
	settle "$G2"
}

register_is_seen()
{
	clean
	keys "$G"
	pr_out "$G" --register --param-sark=$KEY
	keys "$G" $KEY
	pr_out "$G2" --register --param-sark=$KEY2
	keys "$G" $KEY $KEY2
	says 'NO reservation held' pr_in "$G" --read-reservation
}

register_with_a_wrong_key_conflicts()
{
	conflicts pr_out "$G" --register --param-rk=0x99 --param-sark=0x77
	keys "$G" $KEY $KEY2
	pr_out "$G" --register --param-rk=$KEY --param-sark=0x77
	keys "$G" $KEY2 0x77
	pr_out "$G" --register --param-rk=0x77 --param-sark=$KEY
}

capabilities_name_all_types()
{
	local text
	text=$(pr_in "$G" --report-capabilities)
	has "$text" 'Type Mask Valid.*: 1' 'Write Exclusive, all registrants: 1' 'Write Exclusive, registrants only: 1' \
		'Write Exclusive: 1' 'Exclusive Access, all registrants: 1' 'Exclusive Access, registrants only: 1' \
		'Exclusive Access: 1' 'Persist Through Power Loss Capable.*: 1'
}

full_status_names_the_initiators()
{
	local text
	pr_out "$G" --reserve --param-rk=$KEY --prout-type=5
	text=$(pr_in "$G" --read-full-status)
	pr_out "$G" --release --param-rk=$KEY --prout-type=5
	has "$text" "Key=$KEY" "Key=$KEY2" "iqn.2001-04.com.example:guest.first" "iqn.2001-04.com.example:guest.second" \
		'Reservation holder|reservation holder' 'Write Exclusive, registrants only' 'not reservation holder'
	settle "$G2"
}

# A type reserved by the first: what the second may, while it is registered and when it is not. r, w: it reads, writes.
reservation_of_type()
{
	local type=$1 name=$2 registered=$3 stranger=$4
	clean
	pr_out "$G" --register --param-sark=$KEY
	pr_out "$G2" --register --param-sark=$KEY2
	pr_out "$G" --reserve --param-rk=$KEY --prout-type="$type"
	says "$name *\$" pr_in "$G2" --read-reservation
	reads "$G"
	writes "$G"
	may "$registered"
	pr_out "$G2" --register --param-rk=$KEY2 --param-sark=0
	may "$stranger"
	reads "$G"
	writes "$G"
	pr_out "$G" --release --param-rk=$KEY --prout-type="$type"
	says 'NO reservation held' pr_in "$G" --read-reservation
	settle "$G2"
	may rw
}

may()
{
	settle "$G2"
	if [[ $1 == *r* ]]; then reads "$G2"; else conflicts reads "$G2"; fi
	if [[ $1 == *w* ]]; then writes "$G2"; else conflicts writes "$G2"; fi
}

reserve_conflicts_with_another_holder()
{
	clean
	pr_out "$G" --register --param-sark=$KEY
	pr_out "$G2" --register --param-sark=$KEY2
	pr_out "$G" --reserve --param-rk=$KEY --prout-type=1
	pr_out "$G" --reserve --param-rk=$KEY --prout-type=1
	conflicts pr_out "$G" --reserve --param-rk=$KEY --prout-type=3
	conflicts pr_out "$G2" --reserve --param-rk=$KEY2 --prout-type=1
	conflicts pr_out "$G2" --release --param-rk=$KEY --prout-type=1
	pr_out "$G2" --release --param-rk=$KEY2 --prout-type=1
	has "$(pr_in "$G" --read-reservation)" "Key=$KEY" 'Write Exclusive *$'
}

release_of_another_type_is_refused()
{
	refuses 5 'Invalid release of persistent reservation' sg_persist -v --no-inquiry --out --release --param-rk=$KEY \
		--prout-type=3 "$G"
}

what_a_reservation_lets_through()
{
	sg_inq "$G2"
	sg_luns "$G2"
	sg_requests "$G2"
	sg_turs "$G2"
	sg_readcap "$G2"
	sg_opcodes "$G2"
	pr_in "$G2" --read-keys
	conflicts sg_sync "$G2"
	conflicts sg_unmap --force --lba=10000 --num=1 "$G2"
}

preempt_takes_the_reservation()
{
	pr_out "$G2" --preempt --param-rk=$KEY2 --param-sark=$KEY --prout-type=3
	keys "$G2" $KEY2
	has "$(pr_in "$G2" --read-reservation)" "Key=$KEY2" 'Exclusive Access *$'
	refuses 6 'Registrations preempted' ready "$G"
	settle "$G"
	conflicts reads "$G"
	conflicts writes "$G"
	reads "$G2"
}

preempt_of_an_unknown_key_conflicts()
{
	conflicts pr_out "$G2" --preempt --param-rk=$KEY2 --param-sark=0x4242 --prout-type=3
}

clear_takes_everything()
{
	pr_out "$G" --register --param-sark=$KEY
	pr_out "$G" --clear --param-rk=$KEY
	keys "$G"
	says 'NO reservation held' pr_in "$G" --read-reservation
	refuses 6 'Reservations preempted' ready "$G2"
	settle "$G"
}

generation_counts()
{
	local before after
	before=$(pr_in "$G" --read-keys | sed -n 's/.*PR generation=\(0x[0-9a-f]*\),.*/\1/p')
	pr_out "$G" --register --param-sark=$KEY
	pr_out "$G" --register --param-rk=$KEY --param-sark=0
	after=$(pr_in "$G" --read-keys | sed -n 's/.*PR generation=\(0x[0-9a-f]*\),.*/\1/p')
	equal generation $((after)) $((before + 2))
}

reservation_of_one_unit_is_not_of_another()
{
	pr_out "$G" --register --param-sark=$KEY
	pr_out "$G" --reserve --param-rk=$KEY --prout-type=3
	settle "$G2"
	conflicts reads "$G2"
	sg_raw -r 4096 -o /tmp/back "$(sg_of "$(block_of second 1)")" 28 00 00 00 00 00 00 00 01 00
	clean
}

reserve_6_keeps_the_other_out_until_release()
{
	clean
	sg_raw "$G" 16 00 00 00 00 00
	conflicts reads "$G2"
	conflicts writes "$G2"
	conflicts sg_raw "$G2" 16 00 00 00 00 00
	sg_inq "$G2"
	writes "$G"
	sg_raw "$G2" 17 00 00 00 00 00
	conflicts writes "$G2"
	sg_raw "$G" 17 00 00 00 00 00
	writes "$G2"
}

reserve_6_ends_with_a_reset()
{
	sg_raw "$G" 16 00 00 00 00 00
	conflicts reads "$G2"
	sg_reset --device "$G"
	settle "$G"
	settle "$G2"
	reads "$G2"
}

reservation_outlives_a_restart_of_the_adapter()
{
	clean
	pr_out "$G" --register --param-aptpl --param-sark=$KEY
	pr_out "$G" --reserve --param-rk=$KEY --prout-type=3
	restart_adapter
	within 60 settle "$G"
	within 60 settle "$G2"
	keys "$G" $KEY
	has "$(pr_in "$G2" --read-reservation)" "Key=$KEY" 'Exclusive Access *$'
	conflicts reads "$G2"
	reads "$G"
	clean
}

for name in register_is_seen register_with_a_wrong_key_conflicts capabilities_name_all_types \
	full_status_names_the_initiators; do
	check "$name"
done
check reservation_write_exclusive reservation_of_type 1 'Write Exclusive' r r
check reservation_exclusive_access reservation_of_type 3 'Exclusive Access' - -
check reservation_write_exclusive_registrants_only reservation_of_type 5 'Write Exclusive, registrants only' rw r
check reservation_exclusive_access_registrants_only reservation_of_type 6 'Exclusive Access, registrants only' rw -
check reservation_write_exclusive_all_registrants reservation_of_type 7 'Write Exclusive, all registrants' rw r
check reservation_exclusive_access_all_registrants reservation_of_type 8 'Exclusive Access, all registrants' rw -
for name in reserve_conflicts_with_another_holder release_of_another_type_is_refused what_a_reservation_lets_through \
	preempt_takes_the_reservation preempt_of_an_unknown_key_conflicts clear_takes_everything generation_counts \
	reservation_of_one_unit_is_not_of_another \
	reserve_6_keeps_the_other_out_until_release reserve_6_ends_with_a_reset; do
	check "$name"
done
kernel_may_say 'connection[0-9]+:0: detected conn error \(10(20|21)\)' # the adapter is restarted
check reservation_outlives_a_restart_of_the_adapter
