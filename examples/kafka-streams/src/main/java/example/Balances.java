package example;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Payments in, each with the balance of its account after it out. An app as any other: it knows
 * nothing of who tests it.
 *
 * <p>java -jar balances.jar INPUT OUTPUT [NAME=VALUE ...], with any properties of Kafka Streams
 */
public final class Balances {
    private static final String STORE = "balances";
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) {
        Properties properties = new Properties();
        for (int i = 2; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            properties.put(pair[0], pair[1]);
        }
        var builder = new StreamsBuilder();
        var strings = Serdes.String();
        builder.addStateStore(
                Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore(STORE), strings, Serdes.Long()));
        builder.stream(arguments[0], Consumed.with(strings, strings))
                .processValues(AddUp::new, STORE)
                .to(arguments[1], Produced.with(strings, strings));
        var streams = new KafkaStreams(builder.build(), new StreamsConfig(properties));
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static final class AddUp extends ContextualFixedKeyProcessor<String, String, String> {
        private KeyValueStore<String, Long> balances;

        @Override
        public void init(FixedKeyProcessorContext<String, String> context) {
            super.init(context);
            balances = context.getStateStore(STORE);
        }

        @Override
        public void process(FixedKeyRecord<String, String> record) {
            ObjectNode payment = parsed(record.value());
            Long before = balances.get(record.key());
            long balance = (before == null ? 0 : before) + payment.get("amount").asLong();
            balances.put(record.key(), balance);
            context().forward(record.withValue(payment.put("balance", balance).toString()));
        }

        private static ObjectNode parsed(String json) {
            try {
                return (ObjectNode) JSON.readTree(json);
            } catch (java.io.IOException error) {
                throw new IllegalArgumentException(json + " is no payment", error);
            }
        }
    }
}
