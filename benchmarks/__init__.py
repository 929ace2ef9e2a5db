"""Speed of the reference app, side by side with Kafka Streams: `make bench`."""
