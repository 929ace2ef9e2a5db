#!/bin/sh
# /etc/kafka/docker/run of the image that docker_image.py makes: takes KAFKA_ variables as the
# official image does (a_b__c___d is a.b_c-d), formats the storage where it is new, becomes Kafka.
set -e
properties=/tmp/server.properties
awk 'BEGIN {
  for (name in ENVIRON) {
    if (name !~ /^KAFKA_/ || name ~ /^KAFKA_(OPTS|HEAP_OPTS|JVM_PERFORMANCE_OPTS)$/) continue
    key = tolower(substr(name, 7))
    gsub(/___/, "-", key); gsub(/__/, "%", key); gsub(/_/, ".", key); gsub(/%/, "_", key)
    print key "=" ENVIRON[name]
  }
}' > "$properties"
run() {
  # shellcheck disable=SC2086  # options are words
  "$@" $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS $KAFKA_OPTS \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp '/opt/kafka/libs/*' $main
}
main="kafka.tools.StorageTool format --ignore-formatted -t $CLUSTER_ID -c $properties" run java
main="kafka.Kafka $properties" run exec java
