#!/usr/bin/env bash
# Builds the FHIR server once (337 MB of jars the first time) and becomes it: run.sh [-Dport=8090 -Dtoken=… …]
# run.sh --built only says, by its exit code, whether that is done.
# Prints "FHIR_SERVER <base url>" when it can be used; SIGTERM ends it. Needs Java 17 or later and Maven.
# What is built is kept in $FHIR_SERVER_CACHE, by default in the user's cache folder, one folder a state of the sources.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
state=$(cd "$here" && cat pom.xml $(find src -type f | LC_ALL=C sort) | sha256sum | cut -c1-16)
cache=${FHIR_SERVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice-fhir-server}
build=$cache/$state
if [ "${1:-}" = --built ]; then exec test -f "$build/classpath"; fi
mkdir -p "$build"

# Several test processes may start at once: one builds, the others wait.
exec 9>"$build.lock"
flock 9
if [ ! -f "$build/classpath" ]; then
  cp -r "$here/pom.xml" "$here/src" "$build/"
  (cd "$build" && mvn --batch-mode --quiet --no-transfer-progress package dependency:build-classpath \
    -Dmdep.outputFile=target/classpath >&2)
  mv "$build/target/classpath" "$build/classpath"
fi
exec 9>&-

exec java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "$@" \
  -cp "$build/target/fhir-server-1.jar:$(cat "$build/classpath")" FhirServer
