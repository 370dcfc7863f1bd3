#!/bin/sh
# Fetches the jars of Apache Kafka that test/kafka/pom.xml names into build/kafka/libs, once per version of that file.
set -eu
cd "$(dirname "$0")/.."

fetched=build/kafka/pom.xml
cmp -s test/kafka/pom.xml $fetched && exit 0
echo "Fetching Apache Kafka for the tests"
rm -rf build/kafka
mkdir -p build/kafka
mvn -B -q -f test/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$PWD/build/kafka/libs"
# Last: an interrupted run is repeated.
cp test/kafka/pom.xml $fetched
