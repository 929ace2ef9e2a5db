"""From an anomaly to what people can act on: names, times, batches, writers, faults."""
