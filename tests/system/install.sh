#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# builds: gcc
# meson install puts the programs and their pages where people look for them.
set -u
root=$TMPDIR/root status=0
report()
{
	if ((!$1)); then
		echo "ok $2"
	else
		echo "not ok $2"
		status=1
	fi
}

DESTDIR=$root meson install --no-rebuild -C "$BUILD" >"$TMPDIR/log" 2>&1
report $? install_succeeds
prefix=$root/usr/local
for program in lungfish lungfishd; do
	[[ -x $prefix/bin/$program ]]
	report $? "install_puts_$program"
done
[[ -s $prefix/share/man/man1/lungfish.1 && -s $prefix/share/man/man8/lungfishd.8 ]]
report $? install_puts_the_manual_pages
((status)) && sed 's/^/# /' "$TMPDIR/log" && find "$root" | sed 's/^/# /'
exit $status
