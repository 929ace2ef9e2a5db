package eoscheck.peers.payments;

import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.KafkaStreams.State;
import org.apache.kafka.streams.KafkaStreams.StateListener;
import org.apache.kafka.streams.processor.StateRestoreListener;

/**
 * Says on stderr what the reference app's log says, in its words: when a store begins and ends to
 * be restored, and when all tasks run.
 */
final class Events implements StateListener, StateRestoreListener {
    private final Map<TopicPartition, Long> began = new ConcurrentHashMap<>();

    @Override
    public void onChange(State now, State before) {
        if (now == State.RUNNING) {
            System.err.println("event=running");
        }
    }

    @Override
    public void onRestoreStart(TopicPartition changelog, String store, long start, long end) {
        began.put(changelog, System.nanoTime());
        System.err.printf(
                "event=restore_start task=%d store=%s start=%d end=%d%n",
                changelog.partition(), store, start, end);
    }

    @Override
    public void onBatchRestored(TopicPartition changelog, String store, long end, long records) {}

    @Override
    public void onRestoreEnd(TopicPartition changelog, String store, long records) {
        double seconds = (System.nanoTime() - began.remove(changelog)) / 1e9;
        System.err.printf(
                Locale.ROOT,
                "event=restore_end task=%d store=%s records=%d seconds=%.3f%n",
                changelog.partition(), store, records, seconds);
    }
}
