# SPDX-License-Identifier: BSD-2-Clause
# login.sh: discovery, login, digests, two initiators.

discovery_names_the_target()
{
	local found
	found=$(iscsiadm -m discovery -t st -p "$PORTAL" -o nonpersistent)
	equal targets "${found##* }" "$IQN"
	equal lines "$(wc -l <<<"$found")" 1
}

login_is_full_feature()
{
	initiator first
	login first
	equal state "$(<"$(session_of first)/state")" LOGGED_IN
	equal target "$(<"$(session_of first)/targetname")" "$IQN"
	equal group "$(<"$(session_of first)/tpgt")" 1
}

login_to_an_unknown_target_is_refused()
{
	iscsiadm -m node -o new -T "$IQN.unknown" -p "$PORTAL,1"
	refuses 19 'non-retryable|target not found|iSCSI login failed' \
		iscsiadm -m node -T "$IQN.unknown" -p "$PORTAL,1" --login
}

login_negotiates_what_both_can()
{
	local session connection
	session=$(session_of first)
	equal initial_r2t "$(<"$session/initial_r2t")" 0
	equal immediate_data "$(<"$session/immediate_data")" 1
	equal erl "$(<"$session/erl")" 0
	equal max_outstanding_r2t "$(<"$session/max_outstanding_r2t")" 1
	connection=$(echo "$session"/device/connection*/iscsi_connection/connection*)
	equal header_digest "$(<"$connection/header_digest")" 0
	equal data_digest "$(<"$connection/data_digest")" 0
	(($(<"$connection/max_xmit_dlength") >= 8192))
}

every_unit_is_found()
{
	equal unit_0 "$(block_of first 0)" "$(basename "$(readlink "/dev/disk/by-path/ip-$PORTAL-iscsi-$IQN-lun-0")")"
	block_of first 1
	block_of first 2
	status 1 block_of first 3
}

second_login_has_units_of_its_own()
{
	initiator second
	login second
	block_of second 0
	[[ $(block_of second 0) != $(block_of first 0) ]]
	equal sessions "$(iscsiadm -m session | wc -l)" 2
}

digests_are_negotiated()
{
	local connection
	initiator digests node.conn[0].iscsi.HeaderDigest CRC32C node.conn[0].iscsi.DataDigest CRC32C
	login digests
	connection=$(echo "$(session_of digests)"/device/connection*/iscsi_connection/connection*)
	equal header_digest "$(<"$connection/header_digest")" 1
	equal data_digest "$(<"$connection/data_digest")" 1
}

digests_carry_data_both_ways()
{
	local disk
	disk=/dev/$(block_of digests 0)
	dd if=/tmp/random of="$disk" bs=1M seek=64 count=2 oflag=direct status=none
	cmp -n $((2 << 20)) <(range "$disk" 131072 4096) /tmp/random
	dd if=/tmp/random of="$disk" bs=4k seek=30000 count=64 oflag=direct status=none
	cmp -n $((256 << 10)) <(dd if="$disk" bs=4k skip=30000 count=64 iflag=direct status=none) /tmp/random
	cmp -n $((2 << 20)) <(range "/dev/$D" 131072 4096) /tmp/random
}

digests_log_out()
{
	logout digests
	status 1 session_of digests
}

start_iscsid
kernel_may_say 'connection1:0: detected conn error \(1020\)' # the login that is refused
check discovery_names_the_target
check login_to_an_unknown_target_is_refused
check login_is_full_feature
check login_negotiates_what_both_can
check every_unit_is_found
# Units as block devices and as generic ones. Commands go to the latter: whoever closes a block device that was open for
# writing has udev probe it, which takes time and reads in the midst of a check.
D=$(block_of first 0)
N=$(block_of first 1)
R=$(block_of first 2)
G=$(sg_of "$D")
GN=$(sg_of "$N")
GR=$(sg_of "$R")
if check digests_are_negotiated; then
	check digests_carry_data_both_ways
	check digests_log_out
fi
check second_login_has_units_of_its_own
D2=$(block_of second 0)
G2=$(sg_of "$D2")
