package eoscheck.peers.payments;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.MissingSourceTopicException;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.rocksdb.NativeLibraryLoader;
import picocli.CommandLine;

/** Runs the app until SIGTERM, and exits with the reference app's codes. */
@CommandLine.Command(
        name = "payments-streams",
        description = "The payments app on Kafka Streams.",
        sortOptions = false,
        footer = {
            "",
            "Exit codes: 0 stopped by a signal and closed cleanly, 1 it cannot go on",
            "(a record that is no payment, for one), 2 options or topics,",
            "4 stopped but not closed in time."
        })
public final class Main {
    private static final int CLEAN = 0;
    private static final int FAILED = 1;
    private static final int USAGE = 2;
    private static final int DIRTY = 4;
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(30);

    @CommandLine.Mixin private Options options;

    private Main() {}

    public static void main(String[] arguments) {
        Main main = new Main();
        CommandLine commandLine = new CommandLine(main);
        try {
            commandLine.parseArgs(arguments);
        } catch (CommandLine.ParameterException error) {
            exit(USAGE, error.getMessage());
        }
        if (commandLine.isUsageHelpRequested()) {
            commandLine.usage(System.out);
            System.exit(CLEAN);
        }
        main.run();
    }

    private void run() {
        Topology topology = options.buildTopology();
        if (options.describe) {
            System.out.print(topology.describe());
            System.exit(CLEAN);
        }
        KafkaStreams streams = null;
        try {
            unpackRocksDb(options.stateDir);
            streams = new KafkaStreams(topology, new StreamsConfig(options.streamsProperties()));
        } catch (KafkaException | IllegalArgumentException error) {
            exit(USAGE, rootOf(error).getMessage());
        }
        runUntilStopped(streams);
    }

    /**
     * Into the state directory, over what is there: RocksDB's own way is a new file of 15 MB in the
     * system's temp directory for each start, which a killed process leaves behind.
     */
    private static void unpackRocksDb(Path stateDir) {
        try {
            Files.createDirectories(stateDir);
            NativeLibraryLoader.getInstance().loadLibrary(stateDir.toString());
        } catch (IOException error) {
            exit(USAGE, "--state-dir " + stateDir + " cannot be written: " + error);
        }
    }

    /** Never returns: the process ends in here, by its signal or by the first failure. */
    private static void runUntilStopped(KafkaStreams streams) {
        Events events = new Events();
        streams.setStateListener(events);
        streams.setGlobalStateRestoreListener(events);
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        streams.setUncaughtExceptionHandler(
                error -> {
                    failure.complete(error);
                    return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
                });
        Runtime.getRuntime()
                .addShutdownHook(new Thread(() -> halt(closed(streams) ? CLEAN : DIRTY), "close"));
        streams.start();
        Throwable error = failure.join();
        closed(streams);
        // After the close, which logs a lot: whoever looks at the last line sees the reason.
        System.err.println("payments-streams: " + describe(error));
        halt(rootOf(error) instanceof MissingSourceTopicException ? USAGE : FAILED);
    }

    private static boolean closed(KafkaStreams streams) {
        return streams.close(CLOSE_TIMEOUT);
    }

    /** Straight from the shutdown hook: System.exit would wait for it, and SIGTERM would give 143. */
    private static void halt(int code) {
        System.err.flush();
        Runtime.getRuntime().halt(code);
    }

    private static void exit(int code, String message) {
        System.err.println("payments-streams: " + message.replaceAll("\\s*\\R\\s*", " "));
        System.exit(code);
    }

    private static String describe(Throwable error) {
        Throwable root = rootOf(error);
        String outer = error.getMessage() == null ? error.toString() : error.getMessage();
        return (root == error ? outer : outer + ": " + root).replaceAll("\\s*\\R\\s*", " ");
    }

    private static Throwable rootOf(Throwable error) {
        Throwable root = error;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return root;
    }
}
