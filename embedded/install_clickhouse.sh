#!/bin/sh
# For `make test`: Debian's clickhouse-server (18.16, native protocol), installed without starting its service. Without it the tests of
# ClickHouse are skipped, and this says so by name.
PATH=$PATH:/usr/sbin:/sbin
command -v clickhouse-server >/dev/null && exit 0
missing() { echo "make test: clickhouse-server is not here ($1): the tests that need it are skipped"; exit 0; }
command -v apt-get >/dev/null || missing "this is no Debian"
[ "$(id -u)" = 0 ] || missing "only root can install it: apt-get install clickhouse-server"

log=$(mktemp)
policy=/usr/sbin/policy-rc.d # what Debian's packages ask before they start a service
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT INT TERM
fi
install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends clickhouse-server >"$log" 2>&1; }
echo "Installing Debian's clickhouse-server for the tests …"
install || { apt-get update -q >"$log" 2>&1 && install; } || missing "apt-get could not install it; its words are in $log"
rm -f "$log"
