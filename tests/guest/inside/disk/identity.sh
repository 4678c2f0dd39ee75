# SPDX-License-Identifier: BSD-2-Clause
# identity.sh: what the units say of themselves, and what the kernel and udev make of it.

lsscsi_lists_the_units()
{
	local text
	text=$(lsscsi)
	has "$text" "disk +LUNGFISH VIRTUAL DISK +[0-9]{4} +/dev/$D *\$" "disk +LUNGFISH VIRTUAL DISK .*/dev/$N *\$" \
		"disk +LUNGFISH VIRTUAL DISK .*/dev/$R *\$"
	has "$(lsscsi -t)" "$IQN,t,0x1"
}

inquiry_is_of_a_disk()
{
	local text
	text=$(sg_inq "$G")
	has "$text" 'PQual=0 +PDT=0 +RMB=0' 'version=0x06' 'RespDataFmt=2|Resp_data_format=2' 'CmdQue=1' \
		'Vendor identification: LUNGFISH' 'Product identification: VIRTUAL DISK' 'Unit serial number: SERIAL-OF-512E'
}

inquiry_names_its_standards()
{
	has "$(sg_inq -d "$G")" 'SAM-5' 'SPC-4' 'SBC-3' 'iSCSI'
}

inquiry_truncates()
{
	equal length "$(sg_raw -r 5 -o /tmp/inquiry "$G" 12 00 00 00 05 00 && stat -c %s /tmp/inquiry)" 5
	equal additional_length "$(bytes_of /tmp/inquiry 4 1)" "$(bytes_of <(sg_inq --raw "$G") 4 1)"
}

every_supported_vpd_page_is_read()
{
	reads_vpd_pages ' 00 80 83 86 (.* )?b0 b1 b2 '
}

vpd_unknown_page_is_refused()
{
	refuses 5 'Invalid field in cdb' sg_raw -r 255 "$G" 12 01 c5 00 ff 00
	refuses 5 'Invalid field in cdb' sg_raw -r 255 "$G" 12 00 80 00 ff 00
}

vpd_serial_number()
{
	says 'Unit serial number: SERIAL-OF-512E' sg_vpd --page=sn "$G"
	equal sysfs "$(tail -c +5 "/sys/block/$D/device/vpd_pg80" | tr -d ' \0')" SERIAL-OF-512E
}

vpd_device_identification()
{
	local naa text
	text=$(sg_vpd --page=di "$G")
	has "$text" 'designator type: NAA' 'designator type: T10' 'designator type: SCSI name string'
	naa=$(sg_vpd --page=di -q "$G" | grep -o '^ *0x[0-9a-f]*' | head -n 1 | tr -d ' ')
	has "$text" "^ *naa.${naa#0x}\$"
	equal udev "$(udevadm info --query=property --property=ID_WWN --value "/dev/$D")" "$naa"
	[[ -b /dev/disk/by-id/wwn-$naa ]]
}

vpd_names_the_target_port()
{
	local text
	text=$(sg_vpd --page=di_port "$G")
	has "$text" 'Relative target port: 0x1' "$IQN,t,0x0001"
}

vpd_is_the_same_for_both_initiators()
{
	cmp <(sg_vpd --page=di --raw "$G") <(sg_vpd --page=di --raw "$G2")
	[[ $(<"/sys/block/$D/device/wwid") != $(<"/sys/block/$N/device/wwid") ]]
}

vpd_block_limits()
{
	local text
	text=$(sg_vpd --page=bl "$G")
	has "$text" 'Write same non-zero \(WSNZ\): 1' 'Optimal transfer length granularity: 8 blocks' \
		'Optimal unmap granularity: [0-9]+ blocks' 'Unmap granularity alignment valid: (1|true)' \
		'Unmap granularity alignment: 0'
	equal sysfs "$(od -An -v -tx1 "/sys/block/$D/device/vpd_pgb0" | tr -d ' \n')" \
		"$(bytes_of <(sg_vpd --page=bl --raw "$G") 0 64)"
}

vpd_block_device_characteristics()
{
	local text
	text=$(sg_vpd --page=bdc "$G")
	has "$text" 'Non-rotating medium'
}

vpd_provisioning_is_thin()
{
	local text
	text=$(sg_vpd --page=lbpv "$G")
	has "$text" 'LBPU\): 1' 'LBPWS\): 1' 'LBPWS10\): 1' 'LBPRZ\): 1' 'Provisioning type: 2' 'ANC_SUP\): 0'
}

kernel_knows_the_sizes_of_512e()
{
	attribute "$D" size 2097152
	attribute "$D" queue/logical_block_size 512
	attribute "$D" queue/physical_block_size 4096
	attribute "$D" alignment_offset 0
	attribute "$D" queue/minimum_io_size 4096
	attribute "$D" queue/optimal_io_size 1048576
}

kernel_knows_the_sizes_of_4kn()
{
	attribute "$N" size 1048576
	attribute "$N" queue/logical_block_size 4096
	attribute "$N" queue/physical_block_size 4096
	equal ssz "$(blockdev --getss "/dev/$N")" 4096
}

kernel_discards_by_unmap()
{
	attribute "$D" queue/discard_granularity 4096
	(($(<"/sys/block/$D/queue/discard_max_bytes") > 0))
	(($(<"/sys/block/$D/queue/write_zeroes_max_bytes") > 0))
	equal provisioning_mode "$(cat /sys/block/"$D"/device/scsi_disk/*/provisioning_mode)" unmap
	equal thin "$(cat /sys/block/"$D"/device/scsi_disk/*/thin_provisioning)" 1
}

kernel_sees_a_write_cache_with_fua()
{
	attribute "$D" queue/write_cache 'write back'
	attribute "$D" queue/fua 1
	equal cache_type "$(cat /sys/block/"$D"/device/scsi_disk/*/cache_type)" 'write back'
	equal FUA "$(cat /sys/block/"$D"/device/scsi_disk/*/FUA)" 1
}

kernel_sees_no_rotation_and_no_removal()
{
	attribute "$D" queue/rotational 0
	attribute "$D" removable 0
	attribute "$D" ro 0
	equal protection "$(cat /sys/block/"$D"/device/scsi_disk/*/protection_type)" 0
}

kernel_sees_a_read_only_disk()
{
	attribute "$R" ro 1
	says 'WP=1' sg_modes "$GR"
	refuses 7 'data protect|write protect' sg_raw -s 512 -i /tmp/random "$GR" 2a 00 00 00 00 00 00 00 01 00
	equal sum "$(sum_of "/dev/$R")" "$(host sum readonly.img)"
}

udev_names_the_disk()
{
	local text
	text=$(udevadm info --query=property "/dev/$D")
	has "$text" '^ID_VENDOR=LUNGFISH$' '^ID_MODEL=VIRTUAL_DISK$' '^ID_SERIAL_SHORT=3[0-9a-f]{15}$' '^ID_BUS=scsi$' \
		'^ID_SCSI_SERIAL=SERIAL-OF-512E$' "^ID_PATH=ip-$PORTAL-iscsi-$IQN-lun-0\$"
}

for name in lsscsi_lists_the_units inquiry_is_of_a_disk inquiry_names_its_standards inquiry_truncates \
	every_supported_vpd_page_is_read vpd_unknown_page_is_refused vpd_serial_number vpd_device_identification \
	vpd_names_the_target_port vpd_is_the_same_for_both_initiators vpd_block_limits vpd_block_device_characteristics \
	vpd_provisioning_is_thin kernel_knows_the_sizes_of_512e kernel_knows_the_sizes_of_4kn kernel_discards_by_unmap \
	kernel_sees_a_write_cache_with_fua kernel_sees_no_rotation_and_no_removal kernel_sees_a_read_only_disk \
	udev_names_the_disk; do
	check "$name"
done
