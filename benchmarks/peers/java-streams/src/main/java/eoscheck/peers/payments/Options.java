package eoscheck.peers.payments;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import picocli.CommandLine.Option;

/**
 * The command line, with the reference app's option names and defaults. What is not said stays as
 * Kafka Streams has it.
 */
final class Options {
    enum Guarantee {
        exactly_once_v2,
        at_least_once
    }

    enum Kind {
        payments,
        values
    }

    @Option(names = "--topology", description = "${COMPLETION-CANDIDATES}; values: keeps them only.")
    Kind topology = Kind.payments;

    @Option(names = "--bootstrap-server", required = true, paramLabel = "HOST:PORT,...")
    String bootstrapServer;

    @Option(names = "--application-id", description = "Consumer group, and prefix of changelog topics.")
    String applicationId = "payments";

    @Option(names = "--input", description = "Topic of payments; key: account, value: JSON.")
    String input = "payments";

    @Option(names = "--output", description = "Topic of receipts, one for each payment.")
    String output = "receipts";

    @Option(names = "--state-dir", description = "One directory for each process.")
    Path stateDir = Path.of(System.getProperty("java.io.tmpdir"), "payments-streams");

    @Option(names = "--client-id", description = "Threads are called <client id>-StreamThread-<n>.")
    String clientId;

    @Option(names = "--processing-guarantee", description = "${COMPLETION-CANDIDATES}")
    Guarantee guarantee = Guarantee.exactly_once_v2;

    @Option(names = "--commit-interval-ms", description = "Else 100 or 30000, by the guarantee.")
    Long commitIntervalMs;

    @Option(names = "--session-timeout-ms")
    int sessionTimeoutMs = 45_000;

    @Option(names = "--heartbeat-interval-ms")
    int heartbeatIntervalMs = 3_000;

    @Option(names = "--transaction-timeout-ms")
    int transactionTimeoutMs = 10_000;

    @Option(names = "--group-instance-id", description = "Static membership.")
    String groupInstanceId;

    @Option(names = "--num-stream-threads")
    int numStreamThreads = 1;

    @Option(
            names = "--client-property",
            paramLabel = "NAME=VALUE",
            description = "Any Kafka Streams property; consumer.NAME or producer.NAME for one client.")
    Map<String, String> clientProperties = new LinkedHashMap<>();

    @Option(names = "--describe", description = "Print the topology and exit.")
    boolean describe;

    @Option(names = "--help", usageHelp = true, description = "Print this and exit.")
    boolean help;

    Topology buildTopology() {
        return switch (topology) {
            case payments -> PaymentsTopology.build(input, output);
            case values -> ValuesTopology.build(input);
        };
    }

    /** As Kafka Streams wants them. Options win over --client-property. */
    Properties streamsProperties() {
        Properties properties = new Properties();
        properties.putAll(clientProperties);
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, applicationId);
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServer);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, stateDir.toString());
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee.name());
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, numStreamThreads);
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0L);
        if (clientId != null) {
            properties.put(StreamsConfig.CLIENT_ID_CONFIG, clientId);
        }
        if (commitIntervalMs != null) {
            properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, commitIntervalMs);
        }
        consumer(properties, ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, sessionTimeoutMs);
        consumer(properties, ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, heartbeatIntervalMs);
        if (groupInstanceId != null) {
            consumer(properties, ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, groupInstanceId);
        }
        if (guarantee == Guarantee.exactly_once_v2) {
            properties.put(
                    StreamsConfig.producerPrefix(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG),
                    transactionTimeoutMs);
        } else {
            // An aborted payment was never made. Kafka Streams reads them under at_least_once; the
            // reference app never does, and both must see the same input.
            consumer(properties, ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        }
        return properties;
    }

    private static void consumer(Properties properties, String name, Object value) {
        properties.put(StreamsConfig.mainConsumerPrefix(name), value);
    }
}
