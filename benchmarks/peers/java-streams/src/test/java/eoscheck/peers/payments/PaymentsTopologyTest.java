package eoscheck.peers.payments;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.errors.StreamsException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class PaymentsTopologyTest {
    @TempDir java.nio.file.Path stateDir;

    private TopologyTestDriver driver;
    private TestInputTopic<String, String> payments;
    private TestOutputTopic<String, String> receipts;

    @BeforeEach
    void start() {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        properties.put(StreamsConfig.STATE_DIR_CONFIG, stateDir.toString());
        driver = new TopologyTestDriver(PaymentsTopology.build("in", "out"), properties);
        payments = driver.createInputTopic("in", new StringSerializer(), new StringSerializer());
        receipts = driver.createOutputTopic("out", new StringDeserializer(), new StringDeserializer());
    }

    @AfterEach
    void stop() {
        driver.close();
    }

    @Test
    void eachPaymentGetsOneReceiptWithTheRunningBalanceAndItsSource() {
        payments.pipeInput("a", "{\"payment_id\": 1, \"account\": \"a\", \"amount\": 250}");
        payments.pipeInput("b", "{\"payment_id\": 2, \"account\": \"b\", \"amount\": 10}");
        payments.pipeInput("a", "{\"payment_id\": 3, \"account\": \"a\", \"amount\": -1000}");

        assertEquals(
                List.of(
                        KeyValue.pair("a", receipt(1, "a", 250, 250, 0)),
                        KeyValue.pair("b", receipt(2, "b", 10, 10, 1)),
                        KeyValue.pair("a", receipt(3, "a", -1000, -750, 2))),
                receipts.readKeyValuesToList());
    }

    @Test
    void eachBalanceIsLoggedToTheChangelog() {
        TestOutputTopic<String, String> changelog =
                driver.createOutputTopic(
                        "app-balances-changelog", new StringDeserializer(), new StringDeserializer());
        payments.pipeInput("a", "{\"payment_id\": 1, \"account\": \"a\", \"amount\": 250}");
        payments.pipeInput("a", "{\"payment_id\": 2, \"account\": \"a\", \"amount\": 50}");

        assertEquals(
                List.of(
                        KeyValue.pair("a", "{\"balance\":250}"),
                        KeyValue.pair("a", "{\"balance\":300}")),
                changelog.readKeyValuesToList());
    }

    @Test
    void fieldsInAnyOrderWithOthersBetweenAndEscapesAreUnderstood() {
        payments.pipeInput(
                "k\u00fc\"",
                "{\"note\": {\"amount\": [1, {\"payment_id\": 9}]}, \"amount\": 9007199254740993,"
                        + " \"account\": \"k\\u00fc\\\"\", \"payment_id\": 7} ");

        assertEquals(
                receipt(7, "k\u00fc\\\"", 9007199254740993L, 9007199254740993L, 0),
                receipts.readValue());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "7",
                "[]",
                "{\"payment_id\": 1, \"account\": \"a\"}",
                "{\"payment_id\": 1, \"amount\": 2}",
                "{\"account\": \"a\", \"amount\": 2}",
                "{\"payment_id\": \"1\", \"account\": \"a\", \"amount\": 2}",
                "{\"payment_id\": 1, \"account\": \"a\", \"amount\": 2.5}",
                "{\"payment_id\": 1, \"account\": null, \"amount\": 2}",
                "{\"payment_id\": 1, \"account\": \"a\", \"amount\": 2",
                "{\"payment_id\": 1, \"account\": \"a\", \"amount\": 2} x",
            })
    void whatIsNoPaymentStopsTheAppAndGivesNoReceipt(String value) {
        StreamsException error =
                assertThrows(StreamsException.class, () -> payments.pipeInput("a", value));

        assertTrue(error.getCause() instanceof SerializationException, error::toString);
        assertTrue(receipts.isEmpty());
    }

    @Test
    void aPaymentWithoutAValueStopsTheApp() {
        assertThrows(StreamsException.class, () -> payments.pipeInput("a", (String) null));
    }

    private static String receipt(long id, String account, long amount, long balance, long offset) {
        return "{\"payment_id\":%d,\"account\":\"%s\",\"amount\":%d,\"balance\":%d,\"source\":{\"partition\":0,\"offset\":%d}}"
                .formatted(id, account, amount, balance, offset);
    }
}
