#!/bin/sh
# Fetches Debezium, its JDBC sink and Kafka Connect, which test/bench/*/pom.xml name, into build/*/libs, once per version of those files.
set -eu
cd "$(dirname "$0")/.."

for name in debezium sink; do
  wanted=test/bench/$name/pom.xml fetched=build/$name/pom.xml
  cmp -s $wanted $fetched && continue
  echo "Fetching $name for the benchmark"
  rm -rf build/$name
  mkdir -p build/$name
  mvn -B -q -f $wanted dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$PWD/build/$name/libs"
  # Last: an interrupted run is repeated.
  cp $wanted $fetched
done
