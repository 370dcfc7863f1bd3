#!/bin/sh
# Fetches Debezium and Kafka Connect, which test/bench/debezium/pom.xml names, into build/debezium/libs, once per version of that file.
set -eu
cd "$(dirname "$0")/.."

fetched=build/debezium/pom.xml
cmp -s test/bench/debezium/pom.xml $fetched && exit 0
echo "Fetching Debezium for the benchmark"
rm -rf build/debezium
mkdir -p build/debezium
mvn -B -q -f test/bench/debezium/pom.xml dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$PWD/build/debezium/libs"
# Last: an interrupted run is repeated.
cp test/bench/debezium/pom.xml $fetched
