#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# package.sh [OUT.zip]: makes the package for Windows: built, signed, one zip. package.sh --help says more.
set -eu -o pipefail
export LC_ALL=C.UTF-8
here=$(dirname "$(readlink -f "$0")")
root=$(dirname "$(dirname "$here")")

usage()
{
	cat <<-'END'
		usage: packaging/windows/package.sh [OPTION...] [OUT.zip]

		Makes the package for Windows on x64: the driver with its INF, catalog and symbols, the programs,
		README.txt with how to install it. Everything is signed by a certificate that is made for this
		package, for machines in test mode; its key is thrown away. Installs what it needs (apt).
		Without OUT.zip it is build/lungfish-VERSION-windows-x64.zip.

		  --cert FILE  --key FILE  sign with this certificate (PEM; those above it may follow) and this key,
		                           which has no password
		  --build DIR              build there (build/windows-clang)

		example: packaging/windows/package.sh /tmp/lungfish.zip && unzip -l /tmp/lungfish.zip
	END
}

die()
{
	echo "package.sh: $*" >&2
	exit 1
}

certificate='' key='' build=$root/build/windows-clang out=
while (($#)); do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--cert | --key | --build)
		(($# > 1)) || die "$1 needs a value: see package.sh --help"
		case $1 in
		--cert) certificate=$2 ;;
		--key) key=$2 ;;
		--build) build=$2 ;;
		esac
		shift
		;;
	-*) die "there is no option $1: see package.sh --help" ;;
	*)
		[[ -z $out ]] || die "one OUT.zip only: $out, or $1?"
		out=$1
		;;
	esac
	shift
done
[[ -n $certificate ]] && [[ -z $key ]] && die "--cert without --key: a signature needs both"
[[ -n $key ]] && [[ -z $certificate ]] && die "--key without --cert: a signature needs both"
for file in ${certificate:+"$certificate" "$key"}; do
	[[ -r $file ]] || die "$file cannot be read: name a file in PEM"
done
release=$(sed -n "s/^ *version: '\([0-9.]*\)',$/\1/p" "$root/meson.build")
[[ -n $release ]] || die "meson.build says no version"
name=lungfish-$release-windows-x64
out=${out:-$root/build/$name.zip}

"$root/tests/deps/install" package
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
made=$scratch/$name log=$scratch/log
mkdir -p "$made" "$(dirname "$out")"

# What it says is shown when it fails.
quietly()
{
	"$@" >"$log" 2>&1 </dev/null && return
	tail -n 40 "$log" >&2
	die "$(basename "$1") failed; the command was: $*"
}

make_certificate()
{
	echo "Making a certificate for tests"
	certificate=$scratch/test.crt key=$scratch/test.key
	cat >"$scratch/test.conf" <<-'END'
		[req]
		distinguished_name = name
		x509_extensions = extensions
		prompt = no
		[name]
		CN = Lungfish test certificate
		[extensions]
		basicConstraints = critical, CA:FALSE
		keyUsage = critical, digitalSignature
		extendedKeyUsage = codeSigning
		subjectKeyIdentifier = hash
	END
	quietly openssl req -x509 -newkey rsa:3072 -noenc -sha256 -days 3650 -config "$scratch/test.conf" \
		-keyout "$key" -out "$certificate"
}

sign()
{
	quietly osslsigncode sign -h sha256 -certs "$certificate" -key "$key" -n "Lungfish $release" \
		-in "$made/$1" -out "$scratch/signed"
	mv "$scratch/signed" "$made/$1"
}

"$here/build.sh" --compiler clang --build "$build" "$scratch/built" | sed '/^Made in /d'
[[ -n $certificate ]] || make_certificate

echo "Signing with $(openssl x509 -in "$certificate" -noout -subject)"
while IFS='|' read -r file from _; do
	file=${file%% *} from=${from// /}
	case $from in
	make) ;;
	build | sign)
		cp "$scratch/built/$file" "$made/$file" || die "build.sh left no $file"
		[[ $from == build ]] || sign "$file"
		;;
	*) cp "$root/$from" "$made/$file" || die "packaging/windows/contents names $from" ;;
	esac
done < <(grep -v '^#' "$here/contents")

echo "Making the catalog"
quietly "$here/make-catalog" "$made/lungfish.inf"
sign lungfish.cat
quietly openssl x509 -in "$certificate" -outform der -out "$made/lungfish-test.cer"
"$here/make-readme" "$release" >"$made/README.txt"

# The same bytes whenever and wherever: the date of DriverVer, in order, without owners.
read -r month day year < <(sed -n 's,^DriverVer *= *\(..\)/\(..\)/\(....\)\,.*,\1 \2 \3,p' "$made/lungfish.inf") ||
	die "lungfish.inf has no DriverVer"
chmod 644 "$made"/*
TZ=UTC touch -d "$year-$month-$day" "$made"/*
(cd "$scratch" && TZ=UTC quietly zip -X -D -9 zip.zip "$name"/*)
mv "$scratch/zip.zip" "$out"
echo "Made $out: $(du -h "$out" | cut -f 1), $(find "$made" -type f | wc -l) files"
