# SPDX-License-Identifier: BSD-2-Clause
# provisioning.sh: blocks that are mapped and blocks that are not, as commands and as the kernel's discard.

# zeros LBA COUNT
zeros()
{
	equal sum "$(range "/dev/$D" "$1" "$2" | sha256sum)" \
		"$(head -c $(($2 * 512)) /dev/zero | sha256sum)"
}

# mapping LBA: "mapped" or "deallocated", and for how many blocks, of the first extent.
mapping()
{
	sg_get_lba_status --lba="$1" "$G" |
		sed -n 's/^.*LBA: 0x\([0-9a-f]*\) *blocks: *\([0-9]*\) *\([a-z ]*\).*/\3 \2/p' | head -n 1
}

unmap_deallocates()
{
	dd if=/tmp/random of="/dev/$D" bs=1M seek=256 count=4 oflag=direct status=none
	has "$(mapping 524288)" '^mapped'
	sg_unmap --force --lba=524288 --num=8192 "$G"
	has "$(mapping 524288)" '^(deallocated|unmapped)'
	zeros 524288 8192
}

unmap_leaves_its_neighbours()
{
	dd if=/tmp/random of="/dev/$D" bs=1M seek=256 count=1 oflag=direct status=none
	sg_unmap --force --lba=524300 --num=101 "$G"
	zeros 524300 101
	cmp -n $((12 * 512)) <(range "/dev/$D" 524288 12) /tmp/random
	cmp <(range "/dev/$D" 524401 99) \
		<(dd if=/tmp/random bs=512 skip=113 count=99 status=none)
}

unmap_past_the_end_is_refused()
{
	refuses 22 'out of range' sg_unmap -v --force --lba=2097151 --num=2 "$G"
}

read_only_unit_offers_no_unmap()
{
	attribute "$R" queue/discard_max_bytes 0
	says 'lbpme=0' sg_readcap --long "$GR"
	refuses 9 'Invalid command operation code' sg_unmap -v --force --lba=0 --num=8 "$GR"
}

write_same_writes_a_block_many_times()
{
	local number
	sg_write_same --16 --in=/tmp/one --lba=9000 --num=100 "$G"
	for number in 9000 9050 9099; do
		is $number /tmp/one
	done
	sg_write_same --10 --in=/tmp/two --lba=9000 --num=50 "$G"
	is 9049 /tmp/two
	is 9050 /tmp/one
}

write_same_unmaps()
{
	dd if=/tmp/random of="/dev/$D" bs=1M seek=260 count=1 oflag=direct status=none
	sg_write_same --16 --unmap --in=/tmp/zero --lba=532480 --num=2048 "$G"
	has "$(mapping 532480)" '^(deallocated|unmapped)'
	zeros 532480 2048
	dd if=/tmp/random of="/dev/$D" bs=1M seek=260 count=1 oflag=direct status=none
	sg_write_same --16 --unmap --ndob --lba=532480 --num=2048 "$G"
	zeros 532480 2048
}

write_same_of_no_length_is_refused()
{
	put 2097151 /tmp/two
	refuses 5 'Invalid field in cdb' sg_write_same -v --16 --in=/tmp/zero --lba=2097052 --num=0 "$G"
	is 2097151 /tmp/two
}

lba_status_past_the_end_is_refused()
{
	refuses 22 'out of range' sg_get_lba_status -v --lba=2097152 "$G"
}

discard_of_the_kernel_gives_space_back()
{
	local before after
	dd if=/tmp/random of="/dev/$D" bs=1M seek=300 oflag=direct conv=fsync status=none
	before=$(host allocated 512e.img)
	blkdiscard --offset $((300 << 20)) --length $((16 << 20)) "/dev/$D"
	after=$(host allocated 512e.img)
	equal freed $((before - after)) $((16 << 20))
	zeros 614400 32768
}

zeroout_of_the_kernel_writes_zeros()
{
	dd if=/tmp/random of="/dev/$D" bs=1M seek=300 count=2 oflag=direct status=none
	blkdiscard --zeroout --offset $((300 << 20)) --length $((2 << 20)) "/dev/$D"
	zeros 614400 4096
}

discard_of_4kn_is_of_its_blocks()
{
	dd if=/tmp/random of="/dev/$N" bs=1M seek=8 count=2 oflag=direct status=none
	blkdiscard --offset $((8 << 20)) --length 4096 "/dev/$N"
	equal zeros "$(bytes_of <(dd if="/dev/$N" bs=4k skip=2048 count=1 iflag=direct status=none) 0 16)" \
		00000000000000000000000000000000
	cmp -n 4096 <(dd if="/dev/$N" bs=4k skip=2049 count=1 iflag=direct status=none) <(tail -c +4097 /tmp/random)
}

for name in unmap_deallocates unmap_leaves_its_neighbours unmap_past_the_end_is_refused \
	read_only_unit_offers_no_unmap write_same_writes_a_block_many_times write_same_unmaps \
	write_same_of_no_length_is_refused lba_status_past_the_end_is_refused discard_of_the_kernel_gives_space_back \
	zeroout_of_the_kernel_writes_zeros discard_of_4kn_is_of_its_blocks; do
	check "$name"
done
