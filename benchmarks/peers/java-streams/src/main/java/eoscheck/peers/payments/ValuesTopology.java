package eoscheck.peers.payments;

import java.util.Map;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * values -> keep (store: values). The last value of each key, as bytes: what restoring costs, at
 * any size of value. Beside {@code benchmarks/values_app.py}, which is the same.
 */
final class ValuesTopology {
    static final String VALUES = "values";

    private ValuesTopology() {}

    static Topology build(String input) {
        var bytes = Serdes.ByteArray();
        StoreBuilder<KeyValueStore<byte[], byte[]>> values =
                Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(VALUES), bytes, bytes)
                        .withCachingDisabled()
                        .withLoggingEnabled(Map.of());
        return new Topology()
                .addSource("values", bytes.deserializer(), bytes.deserializer(), input)
                .addProcessor("keep", Keep::new, "values")
                .addStateStore(values, "keep");
    }

    private static final class Keep extends ContextualProcessor<byte[], byte[], Void, Void> {
        private KeyValueStore<byte[], byte[]> values;

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            super.init(context);
            values = context.getStateStore(VALUES);
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            values.put(record.key(), record.value());
        }
    }
}
