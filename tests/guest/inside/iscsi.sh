# SPDX-License-Identifier: BSD-2-Clause
# iscsi.sh: open-iscsi as the suites use it. An initiator is an interface record with a name of its own.

NAME_OF_INITIATOR=iqn.2001-04.com.example:guest
PORTAL=10.0.2.2:$PORT

start_iscsid()
{
	mkdir -p /etc/iscsi
	echo "InitiatorName=$NAME_OF_INITIATOR.default" >/etc/iscsi/initiatorname.iscsi
	# A machine without KVM on a busy host is slow: a ping may take its time.
	sed -i -e 's/^\(node.conn\[0\].timeo.noop_out_timeout\) = .*/\1 = 30/' /etc/iscsi/iscsid.conf
	echo 'node.conn[0].tcp.window_size = 4194304' >>/etc/iscsi/iscsid.conf
	iscsid
}

# initiator NAME [RECORD-KEY VALUE]...: a record of the target for an initiator of that name.
initiator()
{
	local name=$1 changes=()
	shift
	iscsiadm -m iface -I "$name" -o new
	iscsiadm -m iface -I "$name" -o update -n iface.initiatorname -v "$NAME_OF_INITIATOR.$name"
	iscsiadm -m node -o new -T "$IQN" -p "$PORTAL,1" -I "$name"
	while (($#)); do
		changes+=(-n "$1" -v "$2")
		shift 2
	done
	[[ -z ${changes[*]} ]] || node "$name" -o update "${changes[@]}"
}

# node NAME OPTION...: iscsiadm on the record of that initiator.
node()
{
	local name=$1
	shift
	iscsiadm -m node -T "$IQN" -p "$PORTAL,1" -I "$name" "$@"
}

login()
{
	node "$1" --login || return
	udevadm settle
}

logout()
{
	node "$1" --logout
	udevadm settle
}

# session_of NAME: the folder of the session of that initiator in sysfs.
session_of()
{
	local session
	for session in /sys/class/iscsi_session/session*; do
		if [[ -e $session && $(<"$session/ifacename") == "$1" ]]; then
			echo "$session"
			return 0
		fi
	done
	return 1
}

# address_of NAME LUN: H:C:T:L of a unit as that initiator sees it.
address_of()
{
	local session found
	session=$(session_of "$1") || return 1
	for found in "$session"/device/target*/*:*:*:"$2"; do
		[[ -e $found ]] && { basename "$found"; return 0; }
	done
	return 1
}

# block_of NAME LUN: the kernel's name of it (sdX, sr0).
block_of()
{
	local address found
	address=$(address_of "$1" "$2") || return 1
	for found in /sys/class/scsi_device/"$address"/device/block/*; do
		[[ -e $found ]] && { basename "$found"; return 0; }
	done
	return 1
}

# without_iscsid COMMAND...: while it sleeps nobody scans for units, and no session comes back.
without_iscsid()
{
	local daemons code=0
	read -ra daemons <<<"$(busybox pidof iscsid)"
	kill -STOP "${daemons[@]}"
	"$@" || code=$?
	kill -CONT "${daemons[@]}"
	return "$code"
}

# The adapter is killed and started again, and has all its units before an initiator comes back.
restart_adapter()
{
	without_iscsid host restart
}
