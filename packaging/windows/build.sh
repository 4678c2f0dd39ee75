#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# build.sh OUTDIR: makes lungfish.sys, lungfish.inf, lungfish.exe and lungfish-gui.exe on Linux. build.sh --help says more.
set -eu
export LC_ALL=C.UTF-8
root=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")

usage()
{
	cat <<-'END'
		usage: packaging/windows/build.sh [OPTION...] OUTDIR

		Builds Lungfish for Windows on x64, and leaves in OUTDIR: lungfish.sys, lungfish.inf,
		lungfish.exe and lungfish-gui.exe. Installs the cross compilers (apt) when they are missing.

		  --compiler gcc|clang  gcc of mingw-w64, debug information inside lungfish.sys (the default);
		                        or clang and lld, which leave lungfish.pdb besides
		  --build DIR           build there (build/windows-gcc, build/windows-clang)

		example: packaging/windows/build.sh --compiler clang /tmp/lungfish && ls /tmp/lungfish
	END
}

die()
{
	echo "build.sh: $*" >&2
	exit 1
}

compiler=gcc build= out=
while (($#)); do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--compiler | --build)
		(($# > 1)) || die "$1 needs a value: see build.sh --help"
		[[ $1 == --compiler ]] && compiler=$2 || build=$2
		shift
		;;
	-*) die "there is no option $1: see build.sh --help" ;;
	*)
		[[ -z $out ]] || die "one OUTDIR only: $out, or $1?"
		out=$1
		;;
	esac
	shift
done
[[ -n $out ]] || die "where to? usage: build.sh OUTDIR"
case $compiler in
gcc) cross=mingw.ini needs=(windows) ;;
clang) cross=clang.ini needs=(windows windows-clang) ;;
*) die "no such compiler: $compiler: there are gcc and clang" ;;
esac
[[ ! -e $out || -d $out ]] || die "$out is a file: name a directory"
build=${build:-$root/build/windows-$compiler}
log=$build.log
cross=$root/packaging/windows/$cross
# A directory that was set up for something else would quietly build that.
[[ ! -f $build/build.ninja ]] || grep -qsF "$cross" "$build/meson-private/cmd_line.txt" ||
	die "$build is of another compiler or another tree: name another with --build, or remove it"

"$root/tests/deps/install" "${needs[@]}"
mkdir -p "$out" "$build" || die "no directory can be made there: name others"
: 2>/dev/null >"$log" || die "$log cannot be written: name another directory with --build"
echo "Building for Windows with $compiler in $build"
{
	[[ -f $build/build.ninja ]] || meson setup "$build" "$root" --cross-file "$cross"
	ninja -C "$build"
} >"$log" 2>&1 </dev/null || {
	tail -n 60 "$log" >&2
	die "the build failed; the whole log is $log"
}

files=(lungfish-gui.exe lungfish.exe lungfish.inf lungfish.sys)
[[ $compiler == gcc ]] || files+=(lungfish.pdb)
rm -f "$out/lungfish.pdb" # it would be of another lungfish.sys
for file in "${files[@]}"; do
	from=$build/packaging/windows/$file
	[[ $file != lungfish.inf ]] || from=$root/packaging/windows/$file
	cp "$from" "$out/" || die "$file cannot be written to $out: is there room, and may you?"
done
echo "Made in $out: ${files[*]}"
