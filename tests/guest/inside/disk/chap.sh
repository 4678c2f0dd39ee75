# SPDX-License-Identifier: BSD-2-Clause
# chap.sh: an adapter that wants to know who comes. Its one disk holds what /tmp/random does not.

CHAP_PORTAL=10.0.2.2:$CHAP_PORT
NAME_OF_USER=$NAME_OF_INITIATOR.chap

# as SECRET [SECRET-OF-THE-TARGET]: a login with these; refused or not, no session of it is left.
as()
{
	local PORTAL=$CHAP_PORTAL mutual=()
	if (($# > 1)); then
		mutual=(node.session.auth.username_in the-target node.session.auth.password_in "$2")
	fi
	initiator chap node.session.auth.authmethod CHAP node.session.auth.username "$NAME_OF_USER" \
		node.session.auth.password "$1" "${mutual[@]}"
	node chap --login || { node chap -o delete; return 24; }
	udevadm settle
	equal sum "$(sum_of "/dev/$(block_of chap 0)")" "$(host sum secret.img)"
	logout chap
	node chap -o delete
}

chap_one_way()
{
	as "$CHAP_SECRET"
}

chap_mutual()
{
	as "$CHAP_SECRET" "$CHAP_SECRET_OF_TARGET"
}

chap_with_a_wrong_secret_is_refused()
{
	refuses 24 'authorization failure' as wrong-secret-123
	refuses 24 'authorization failure' as "${CHAP_SECRET%?}"
}

chap_with_a_wrong_name_is_refused()
{
	local NAME_OF_USER=iqn.2001-04.com.example:somebody
	refuses 24 'authorization failure' as "$CHAP_SECRET"
}

chap_target_with_a_wrong_secret_is_refused_by_the_initiator()
{
	refuses 24 'could not log in' as "$CHAP_SECRET" wrong-secret-123
}

login_without_chap_is_refused()
{
	local PORTAL=$CHAP_PORTAL
	initiator nobody
	refuses 24 'authorization failure' node nobody --login
	node nobody -o delete
}

discovery_without_chap_is_refused()
{
	refuses 24 'authorization|login failed|could not perform' \
		iscsiadm -m discovery -t st -p "$CHAP_PORTAL" -o nonpersistent
}

discovery_with_chap()
{
	cp /etc/iscsi/iscsid.conf /tmp/iscsid.conf
	cat >>/etc/iscsi/iscsid.conf <<-END
		discovery.sendtargets.auth.authmethod = CHAP
		discovery.sendtargets.auth.username = $NAME_OF_USER
		discovery.sendtargets.auth.password = $CHAP_SECRET
	END
	says "$IQN\$" iscsiadm -m discovery -t st -p "$CHAP_PORTAL" -o nonpersistent
	cp /tmp/iscsid.conf /etc/iscsi/iscsid.conf
}

kernel_may_say 'connection[0-9]+:0: detected conn error \(1020\)' # logins that are refused
for name in chap_one_way chap_mutual chap_with_a_wrong_secret_is_refused chap_with_a_wrong_name_is_refused \
	chap_target_with_a_wrong_secret_is_refused_by_the_initiator login_without_chap_is_refused \
	discovery_without_chap_is_refused discovery_with_chap; do
	check "$name"
done
