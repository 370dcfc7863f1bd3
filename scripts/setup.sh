#!/bin/sh
# Installs from Debian what building, testing and the demo need and this machine lacks.
set -eu

packages="build-essential postgresql-15 postgresql-server-dev-15 librdkafka-dev libjansson-dev
  postgresql-15-cron postgresql-15-pgtap libipc-run-perl libgtest-dev
  kcat procps python3 python3-pytest python3-pytest-xdist python3-psycopg2 python3-confluent-kafka"

missing=
for package in $packages; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
# A Java or a Maven that did not come from Debian serves as well.
command -v java >/dev/null || missing="$missing default-jre-headless"
command -v mvn >/dev/null || missing="$missing maven"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "These packages are missing; install them, or run \"make setup\" as root:" >&2
  echo "  sudo apt-get install -y --no-install-recommends$missing" >&2
  exit 1
fi

# PostgreSQL's package would create and start a cluster on port 5432; ours are scratch clusters.
no_cluster=/etc/postgresql-common/createcluster.d/migrator-setup.conf
case "$missing " in *" postgresql-15 "*)
  trap 'rm -f "$no_cluster"' EXIT
  mkdir -p "$(dirname "$no_cluster")"
  echo 'create_main_cluster = false' > "$no_cluster" ;;
esac

export DEBIAN_FRONTEND=noninteractive
echo "Installing:$missing"
apt-get update -q
# shellcheck disable=SC2086
apt-get install -y -q --no-install-recommends $missing
