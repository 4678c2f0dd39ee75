# SPDX-License-Identifier: BSD-2-Clause
# lib.sh: what every script in the guest uses: checks, comparisons, requests to the host.
# A check is a function; it fails at the first command in it that fails.

exec 7<>/dev/ttyS3

# check NAME [FUNCTION [ARGUMENT...]]: runs the function (called like the check, if none is named), prints its line.
check()
{
	local name=$1 code line
	shift
	echo "<5>check $name" >&8
	(
		set -e
		"${@:-$name}"
	) </dev/null >/tmp/check.out 2>&1
	code=$?
	if ((code == 0)); then
		echo "ok $PREFIX$name"
		return 0
	fi
	# What it left mounted would fail the checks to come.
	! mountpoint -q /mnt || umount /mnt
	while IFS= read -r line; do
		echo "# $line"
	done < <(tail -n 60 /tmp/check.out)
	echo "not ok $PREFIX$name"
	return 1
}

# The suite's end: every case has been told, so the status is only whether the script came this far.
finish()
{
	exit 0
}

fail()
{
	echo "$*" >&2
	return 1
}

# equal WHAT FOUND WANTED
equal()
{
	[[ $2 == "$3" ]] || fail "$1: '$2', should be '$3'"
}

# status WANTED COMMAND...: its exit status is that; its output stays ours.
status()
{
	local wanted=$1 code=0
	shift
	"$@" || code=$?
	((code == wanted)) || fail "$*: exit status $code, should be $wanted"
}

# has TEXT PATTERN...: each pattern, an extended regular expression, matches some line of the text.
has()
{
	local text=$1 pattern line found
	shift
	for pattern; do
		found=
		while IFS= read -r line; do
			[[ $line =~ $pattern ]] && { found=1; break; }
		done <<<"$text"
		[[ $found ]] || { fail "no line matches '$pattern': $text"; return 1; }
	done
}

# says PATTERN COMMAND...: it succeeds, and some line of its output matches.
says()
{
	local pattern=$1 text
	shift
	text=$("$@" 2>&1) || { fail "$*: exit status $?: $text"; return 1; }
	has "$text" "$pattern"
}

# refuses STATUS PATTERN COMMAND...: it ends with that status and says that, in capitals or not.
refuses()
{
	local wanted=$1 pattern=$2 text code=0
	shift 2
	text=$("$@" 2>&1) || code=$?
	((code == wanted)) || { fail "$*: exit status $code, should be $wanted: $text"; return 1; }
	shopt -s nocasematch
	has "$text" "$pattern" || { shopt -u nocasematch; return 1; }
	shopt -u nocasematch
}

# host WORD...: asks the host; prints what it answers, returns the status of what it did.
host()
{
	local word line code count text=
	for word; do
		text+="${word@Q} "
	done
	echo "$text" >&7
	read -r code count <&7
	while ((count-- > 0)); do
		IFS= read -r line <&7
		echo "$line"
	done
	return "$code"
}

# kernel_may_say PATTERN: in this suite that is no trouble.
kernel_may_say()
{
	echo "kernel-may-say $1"
}

# within SECONDS COMMAND...: tries until it succeeds.
within()
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || { fail "not within the time: $*"; return 1; }
		sleep 0.1
	done
}

# attribute DISK FILE VALUE: what the kernel has come to believe of a disk.
attribute()
{
	equal "$2" "$(<"/sys/block/$1/$2")" "$3"
}

# bytes_of FILE-OR-DEVICE OFFSET COUNT: in hexadecimal, without spaces.
bytes_of()
{
	local bytes
	bytes=$(od -An -v -tx1 -j "$2" -N "$3" "$1") || return
	echo "${bytes//[[:space:]]/}"
}

# reads_vpd_pages PATTERN: those that the unit of $G lists ascend, are read one by one, and match.
reads_vpd_pages()
{
	local pages page last=-1
	read -ra pages <<<"$(od -An -v -tx1 -w256 <(sg_vpd --page=sv --raw "$G"))"
	for page in "${pages[@]:4}"; do
		((0x$page > last))
		last=$((0x$page))
		sg_vpd --page="0x$page" "$G"
		equal page_code "$(bytes_of <(sg_vpd --page="0x$page" --raw "$G") 1 1)" "$page"
	done
	has " ${pages[*]:4} " "$1"
}

# sum_of FILE [dd operand...]: SHA-256, read past the page cache.
sum_of()
{
	dd if="$1" bs=1M iflag=direct status=none "${@:2}" | sha256sum | cut -d ' ' -f 1
}

# range DISK LBA COUNT: these blocks of 512 bytes on standard output, read past the page cache in large pieces.
range()
{
	dd if="$1" bs=1M skip=$(($2 * 512)) count=$(($3 * 512)) iflag=direct,skip_bytes,count_bytes status=none
}

# sg_of DISK: the generic device of it, which lets write commands through where the kernel knows of write protection.
sg_of()
{
	echo "/dev/$(ls "/sys/block/$1/device/scsi_generic")"
}

# ready GENERIC: TEST UNIT READY; its exit status and words are those of sg_raw, which says what the unit said.
ready()
{
	sg_raw "$1" 00 00 00 00 00 00
}

# settle GENERIC: takes the unit attentions that wait there.
settle()
{
	local tries
	for tries in 1 2 3 4; do
		ready "$1" && return 0
	done
	return 1
}
