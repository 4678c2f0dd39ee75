# SPDX-License-Identifier: BSD-2-Clause
# cd.sh: the suite of the CD-ROM. Units: 0 is a disk, 1 a drive with a bootable disc, 2 the drive of most checks, with
# one.iso in it, 3 an empty drive. The last is not the first so that what old programs do to a LUN that is not 0 is seen.
. /test/lib.sh
. /test/iscsi.sh
PREFIX=cd_

for part in login identity disc mmc door; do
	[[ -z ${ONLY:-} || " login $ONLY " == *" $part "* ]] || continue
	started=$SECONDS
	. "/test/cd/$part.sh"
	echo "# $part: $((SECONDS - started)) s"
done
finish
