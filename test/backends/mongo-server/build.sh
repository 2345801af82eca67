#!/usr/bin/env bash
# Builds the tests' MongoDB-wire server into FOLDER, once: build.sh FOLDER
# PostgreSQL 18, its DocumentDB extension and, where the machine has no Go that is new enough, Go come as Debian packages
# that are unpacked here and nowhere else: nothing is installed on the machine. Needs apt, not root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
suite=forky # the first Debian with the extension
mkdir -p "$folder"

# Several test processes may ask at once: one builds, the others wait.
exec 9>"$folder.lock"
flock 9
[ ! -e "$folder/built" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An apt of our own: its lists, its cache, and a machine on which nothing is installed, so that all libraries come along.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/debian.* 2>/dev/null |
  grep -oE 'https?://[^ ]*/debian/?( |$)' | head -n 1 | tr -d ' ' || true)
mkdir -p "$work"/{state/lists/partial,cache/archives/partial,root/usr}
touch "$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} $suite main" >"$work/sources.list"
apt() {
  apt-get -q -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" \
    -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
    -o APT::Install-Recommends=false -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Debug::NoLocking=true "$@"
}
enough() { [ "$(printf '%s\n' go1.25 "$(go env GOVERSION 2>/dev/null || echo go0)" | sort -V | head -n 1)" = go1.25 ]; }
packages=(postgresql-18-documentdb)
enough || packages+=(golang-go)
trusted=/etc/ssl/certs/ca-certificates.crt # for Go, which fetches the modules of go.sum
[ -e "$trusted" ] || packages+=(ca-certificates)
apt update
apt install -y --download-only "${packages[@]}"
for directory in bin sbin lib lib64; do
  mkdir -p "$work/root/usr/$directory"
  ln -s "usr/$directory" "$work/root/$directory"
done
for package in "$work"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work/root" --keep-directory-symlink --exclude='./usr/share/doc*' \
    --exclude='./usr/share/locale*' --exclude='./usr/share/man*' --exclude='./dev*' --exclude='./run*' --exclude='./var*'
done

# The programs run on this machine's kernel but on the libraries they came with: each is a script that says so.
root=$work/root
postgres=usr/lib/postgresql/18
loader=$(find "$root/usr/lib" -name 'ld-linux*.so*' | head -n 1)
libraries=$(dirname "$loader")
mkdir -p "$folder"/{lib,"$postgres"/bin,usr/share/postgresql}
cp -a "$root/$postgres/lib" "$folder/$postgres/"
cp -a "$root/usr/share/postgresql/18" "$folder/usr/share/postgresql/"
rm -rf "$folder/$postgres/lib/bitcode"
cp "$folder/usr/share/postgresql/18/extension/postgis"{-3,}.control # as the extension calls it
needed() { "$loader" --library-path "$libraries:$libraries/blas:$libraries/lapack:$root/$postgres/lib" --list "$1" | awk '/=> \//{print $3}'; }
for file in "$root/$postgres"/bin/{postgres,initdb} "$root/$postgres"/lib/*.so; do needed "$file" 2>/dev/null || true; done |
  grep "^$libraries" | sort -u | xargs -I{} cp -L {} "$folder/lib/"
cp -L "$loader" "$folder/lib/ld.so"
for program in postgres initdb; do
  cp "$root/$postgres/bin/$program" "$folder/$postgres/bin/$program.real"
  cat >"$folder/$postgres/bin/$program" <<SCRIPT
#!/bin/sh
exec "$folder/lib/ld.so" --argv0 "\$0" --library-path "$folder/lib:$folder/$postgres/lib" "\$0.real" "\$@"
SCRIPT
  chmod +x "$folder/$postgres/bin/$program"
done

enough || export GOROOT=$(echo "$root"/usr/lib/go-*) PATH=$(echo "$root"/usr/lib/go-*/bin):$PATH
[ -e "$trusted" ] || export SSL_CERT_DIR="$root/usr/share/ca-certificates/mozilla"
cp "$here"/{main.go,go.mod,go.sum} "$work/"
(cd "$work" && GOTOOLCHAIN=local CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$folder/mongo" .)
touch "$folder/built"
