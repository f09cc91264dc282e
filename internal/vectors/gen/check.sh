#!/bin/sh
# Regenerates every vector into a temporary folder and compares the result with
# the files that are kept. Exit status 0 if nothing differs. Needs Node 18 or
# later, and the network once for npm.
#
# stream_sessions.json records live sessions between a client and a server: the
# order of their packets may shift from run to run, so a difference there is
# shown and forgiven.
set -eu
cd "$(dirname "$0")"
[ -d node_modules ] || npm ci --ignore-scripts --no-audit --no-fund

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
VECTOR_OUT=$out node all.js

status=0
for file in ../*.json; do
	name=$(basename "$file")
	cmp -s "$file" "$out/$name" && continue
	if [ "$name" = stream_sessions.json ]; then
		echo "$name differs, which it may"
	else
		echo "$name differs" >&2
		diff "$file" "$out/$name" | head -20 >&2 || true
		status=1
	fi
done
for file in "$out"/*.json; do
	[ -e "../$(basename "$file")" ] || { echo "$(basename "$file") is not kept" >&2; status=1; }
done
[ $status -ne 0 ] || echo "vectors: as generated"
exit $status
