package eoscheck.peers.payments;

import java.util.Map;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** payments -> settle (store: balances) -> receipts. */
final class PaymentsTopology {
    static final String BALANCES = "balances";

    private PaymentsTopology() {}

    static Topology build(String payments, String receipts) {
        var strings = Serdes.String();
        // RocksDB, each write logged to the changelog at once: what the reference app's store does.
        StoreBuilder<KeyValueStore<String, Long>> balances =
                Stores.keyValueStoreBuilder(
                                Stores.persistentKeyValueStore(BALANCES), strings, Json.balanceSerde())
                        .withCachingDisabled()
                        .withLoggingEnabled(Map.of());
        return new Topology()
                .addSource("payments", strings.deserializer(), Json.paymentDeserializer(), payments)
                .addProcessor("settle", Settle::new, "payments")
                .addStateStore(balances, "settle")
                .addSink("receipts", receipts, strings.serializer(), Json.receiptSerializer(), "settle");
    }

    /** One receipt for each payment, with the account's balance after it. */
    private static final class Settle extends ContextualProcessor<String, Payment, String, Receipt> {
        private KeyValueStore<String, Long> balances;

        @Override
        public void init(ProcessorContext<String, Receipt> context) {
            super.init(context);
            balances = context.getStateStore(BALANCES);
        }

        @Override
        public void process(Record<String, Payment> record) {
            Payment payment = record.value();
            Long before = balances.get(record.key());
            long balance = before == null ? payment.amount() : Math.addExact(before, payment.amount());
            balances.put(record.key(), balance);
            RecordMetadata source = context().recordMetadata().orElseThrow();
            context()
                    .forward(
                            record.withValue(
                                    new Receipt(payment, balance, source.partition(), source.offset())));
        }
    }
}
