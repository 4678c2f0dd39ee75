# SPDX-License-Identifier: BSD-2-Clause
# disc.sh: the disc as programs use it: the whole of it, its files, its table of contents.

capacity_is_that_of_the_image()
{
	has "$(sg_readcap "$G")" "Last LBA=$((BLOCKS - 1)) .*Number of logical blocks=$BLOCKS\$|Last LBA=$((BLOCKS - 1)) " \
		'Logical block length=2048 bytes'
	equal bytes "$(blockdev --getsize64 "/dev/$C")" $((BLOCKS * 2048))
	equal sector "$(blockdev --getss "/dev/$C")" 2048
}

whole_disc_is_the_image()
{
	equal sum "$(sum_of "/dev/$C")" "$(host sum one.iso)"
}

whole_bootable_disc_is_the_image()
{
	equal sum "$(sum_of "/dev/$BOOT")" "$(host sum rescue.iso)"
}

whole_disc_through_the_page_cache_is_the_image()
{
	equal sum "$(sha256sum "/dev/$C" | cut -d ' ' -f 1)" "$(host sum one.iso)"
}

bootable_disc_has_its_boot_record()
{
	equal boot_record "$(bytes_of "/dev/$BOOT" $((17 * 2048)) 30)" \
		00434430303101454c20544f5249544f2053504543494649434154494f4e
}

files_are_those_of_the_image()
{
	mount -t iso9660 "/dev/$C" /mnt
	(cd /mnt && sha256sum --quiet --strict -c SUMS)
	equal files "$(find /mnt -type f | wc -l)" "$(($(wc -l </mnt/SUMS) + 1))"
	umount /mnt
}

mount_is_read_only()
{
	mount "/dev/$C" /mnt
	refuses 1 'read-only' touch /mnt/new
	umount /mnt
	refuses 1 'read-only|permi' dd if=/dev/zero of="/dev/$C" bs=2048 count=1
}

random_reads_are_those_of_the_image()
{
	local lba
	for lba in 0 16 $((BLOCKS / 3)) $((BLOCKS - 1)); do
		raw "$G" 2048 28 00 $(in_cdb $lba) 00 00 01 00
		equal "block $lba" "$(sha256sum </tmp/back)" "$(dd if="/dev/$C" bs=2048 skip=$lba count=1 status=none | sha256sum)"
		cp /tmp/back /tmp/ten
		raw "$G" 2048 a8 00 $(in_cdb $lba) 00 00 00 01 00 00
		cmp /tmp/back /tmp/ten
	done
}

cd_info_reads_the_table()
{
	local text
	text=$(cd-info --no-device-info --no-cddb --no-vcd "/dev/$C" 2>&1) || fail "cd-info: $text"
	has "$text" 'CD-ROM Track List \(1 - 1\)' "^ +1: 00:02:00 +000000 data +false +no" \
		"^170: [0-9:]{8} +$(printf %06d "$BLOCKS") leadout" 'ISO 9660: [0-9]+ blocks, label .LUNGFISH_ONE'
}

cd_info_reads_the_drive()
{
	has "$(cd-info --no-analyze --no-cddb "/dev/$C" 2>&1)" 'Vendor +: LUNGFISH' 'Disc mode is listed as: CD-(DATA|ROM)'
}

wodim_reads_the_table()
{
	local text
	text=$(wodim dev="/dev/$C" -toc 2>&1) || fail "wodim: $text"
	has "$text" 'first: 1 last 1' '^track: +1 lba: +0 \( +0\) 00:02:00 adr: 1 control: 4 ' \
		"^track:lout lba: +$BLOCKS \\("
}

wodim_reads_the_capabilities()
{
	local text
	text=$(wodim dev="/dev/$C" -prcap 2>&1) || fail "wodim: $text"
	has "$text" 'Does read CD-R media' 'Does not write CD-R media' 'Does not write CD-RW media' \
		'Does not write DVD-R media' 'Loading mechanism type: tray' \
		'Does support ejection of CD via START/STOP command' \
		'Does allow media to be locked in the drive via PREVENT/ALLOW command'
}

wodim_finds_the_disc()
{
	has "$(wodim dev="/dev/$C" -atip 2>&1; true)" 'Device type +: Removable CD-ROM' "Vendor_info +: 'LUNGFISH"
}

read_speed_is_taken()
{
	eject -x 8 "/dev/$C"
	eject -x 0 "/dev/$C"
	sg_raw "$G" bb 00 ff ff 00 00 00 00 00 00 00 00
	sg_raw "$G" bb 00 05 83 00 00 00 00 00 00 00 00
}

for name in capacity_is_that_of_the_image whole_disc_is_the_image whole_bootable_disc_is_the_image \
	whole_disc_through_the_page_cache_is_the_image bootable_disc_has_its_boot_record files_are_those_of_the_image \
	mount_is_read_only random_reads_are_those_of_the_image cd_info_reads_the_table cd_info_reads_the_drive \
	wodim_reads_the_table wodim_reads_the_capabilities wodim_finds_the_disc read_speed_is_taken; do
	check "$name"
done
