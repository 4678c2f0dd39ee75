# SPDX-License-Identifier: BSD-2-Clause
# filesystems.sh: ext4 and xfs on 512e and 4Kn: what was written is there after a new mount, fstrim shrinks the image.

# filesystem KIND DISK IMAGE
filesystem()
{
	local kind=$1 disk=$2 image=$3 sums before after number
	blkdiscard -f "/dev/$disk"
	case $kind in
	ext4) mkfs.ext4 -q -E lazy_itable_init=1 "/dev/$disk" ;;
	xfs) mkfs.xfs -q -f "/dev/$disk" ;;
	esac
	mount -t "$kind" "/dev/$disk" /mnt
	mkdir /mnt/folder
	for number in 1 2 3; do
		dd if=/tmp/random of=/mnt/folder/$number bs=1M count=$((number * 4)) conv=fsync status=none
	done
	cp -r /test /mnt/copy
	cp /tmp/random /mnt/removed
	ln -s folder/3 /mnt/link
	sync -f /mnt
	sums=$(cd /mnt && find copy folder link -type f -exec sha256sum {} + | sort)
	umount /mnt
	# A new mount reads from the disk: the cache of a closed one is dropped.
	blockdev --flushbufs "/dev/$disk"
	mount -t "$kind" "/dev/$disk" /mnt
	equal sums "$(cd /mnt && find copy folder link -type f -exec sha256sum {} + | sort)" "$sums"
	cmp /mnt/removed /tmp/random
	equal link "$(readlink /mnt/link)" folder/3
	rm /mnt/removed
	sync -f /mnt
	before=$(host allocated "$image")
	fstrim -v /mnt
	after=$(host allocated "$image")
	((before - after >= 15 << 20)) || { fail "fstrim: $before bytes before, $after after"; return 1; }
	equal sums "$(cd /mnt && find copy folder link -type f -exec sha256sum {} + | sort)" "$sums"
	umount /mnt
	case $kind in
	ext4) fsck.ext4 -f -n "/dev/$disk" ;;
	xfs) xfs_repair -n "/dev/$disk" ;;
	esac
}

read_only_unit_takes_no_filesystem()
{
	refuses 1 'read-only|not permitted' mkfs.ext4 -q -F "/dev/$R"
}

check ext4_on_512e filesystem ext4 "$D" 512e.img
check ext4_on_4kn filesystem ext4 "$N" native.img
check xfs_on_512e filesystem xfs "$D" 512e.img
check xfs_on_4kn filesystem xfs "$N" native.img
check read_only_unit_takes_no_filesystem
