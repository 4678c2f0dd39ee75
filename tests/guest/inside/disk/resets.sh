# SPDX-License-Identifier: BSD-2-Clause
# resets.sh: resets and lost connections while data moves: nothing is lost, nothing is written twice.

# load COMMAND...: writes 32 MiB, again and again while the command runs twice; the data must be whole afterwards.
load()
{
	local writer round code=0
	rm -f /tmp/enough
	(
		until [[ -e /tmp/enough ]]; do
			for round in 0 1; do
				dd if=/tmp/random of="/dev/$D" bs=256k seek=$((2048 + round * 64)) oflag=direct status=none || exit 1
			done
		done
	) &
	writer=$!
	sleep 0.3
	{ "$@" && kill -0 $writer && "$@"; } || code=$?
	: >/tmp/enough
	wait $writer
	equal "status of $*" "$code" 0
	for round in 0 1; do
		equal "sum of round $round" "$(sum_of "/dev/$D" skip=$((512 + round * 16)) count=16)" "$(sum_of_random)"
	done
	settle "$G"
}

unit_reset_under_load()
{
	load sg_reset --no-esc --device "$G"
}

target_reset_under_load()
{
	load sg_reset --no-esc --target "$G"
}

reset_is_told_to_the_other_initiator()
{
	settle "$G2"
	sg_reset --no-esc --device "$G"
	refuses 6 'reset occurred|reset function occurred' ready "$G2"
	sg_turs "$G2"
}

reset_of_one_unit_leaves_another()
{
	settle "$GN"
	sg_reset --no-esc --device "$G"
	sg_turs "$GN"
	settle "$G"
}

target_reset_is_of_all_units()
{
	local other
	other=$(sg_of "$(block_of second 1)")
	settle "$other"
	sg_reset --no-esc --target "$G"
	refuses 6 'reset occurred|reset function occurred' ready "$other"
	settle "$G"
	settle "$G2"
}

# The session comes back by itself, and what was under way is sent again.
dropped_session_comes_back_under_load()
{
	load drop_when_there first
	equal state "$(<"$(session_of first)/state")" LOGGED_IN
}

drop()
{
	local id initiator rest
	while read -r id initiator rest; do
		[[ $initiator != "$NAME_OF_INITIATOR.$1" ]] || break
	done < <(host lungfish session list)
	host lungfish session drop "$id"
}

# A second time it can be dropped when it has come back.
drop_when_there()
{
	within 60 drop "$1"
}

restarted_adapter_is_found_again_under_load()
{
	load restart_adapter
	equal state "$(<"$(session_of first)/state")" LOGGED_IN
	within 60 settle "$G2"
}

kernel_may_say 'connection[0-9]+:0: detected conn error \(10(20|21)\)' # sessions that are dropped, and restarts
for name in unit_reset_under_load target_reset_under_load reset_is_told_to_the_other_initiator \
	reset_of_one_unit_leaves_another target_reset_is_of_all_units dropped_session_comes_back_under_load \
	restarted_adapter_is_found_again_under_load; do
	check "$name"
done
