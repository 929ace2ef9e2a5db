package eoscheck.peers.payments;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.OptionalLong;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/**
 * The JSON of payments, receipts and balances, read and written token by token with Jackson's
 * streaming API: no tree and no reflection, and still any JSON that means the same is understood.
 * Unknown fields are ignored. What does not fit is a {@link SerializationException}.
 */
final class Json {
    private static final JsonFactory FACTORY = new JsonFactory();

    private Json() {}

    static Deserializer<Payment> paymentDeserializer() {
        return (topic, data) -> read("payment", data, Json::readPayment);
    }

    static Serializer<Receipt> receiptSerializer() {
        return (topic, receipt) -> write(generator -> writeReceipt(generator, receipt));
    }

    /** The store's values: a deleted or absent balance is null, as stores want it. */
    static Serde<Long> balanceSerde() {
        return Serdes.serdeFrom(
                (topic, balance) -> balance == null ? null : write(json -> writeBalance(json, balance)),
                (topic, data) -> data == null ? null : read("balance", data, Json::readBalance));
    }

    private static Payment readPayment(JsonParser parser) throws IOException {
        OptionalLong id = OptionalLong.empty();
        OptionalLong amount = OptionalLong.empty();
        String account = null;
        for (String name; (name = parser.nextFieldName()) != null; ) {
            parser.nextToken();
            switch (name) {
                case "payment_id" -> id = OptionalLong.of(integer(parser));
                case "account" -> account = text(parser);
                case "amount" -> amount = OptionalLong.of(integer(parser));
                default -> parser.skipChildren();
            }
        }
        return new Payment(
                required("payment_id", id), required("account", account), required("amount", amount));
    }

    private static Long readBalance(JsonParser parser) throws IOException {
        OptionalLong balance = OptionalLong.empty();
        for (String name; (name = parser.nextFieldName()) != null; ) {
            parser.nextToken();
            if (name.equals("balance")) {
                balance = OptionalLong.of(integer(parser));
            } else {
                parser.skipChildren();
            }
        }
        return required("balance", balance);
    }

    private static void writeReceipt(JsonGenerator json, Receipt receipt) throws IOException {
        json.writeStartObject();
        json.writeNumberField("payment_id", receipt.payment().paymentId());
        json.writeStringField("account", receipt.payment().account());
        json.writeNumberField("amount", receipt.payment().amount());
        json.writeNumberField("balance", receipt.balance());
        json.writeObjectFieldStart("source");
        json.writeNumberField("partition", receipt.partition());
        json.writeNumberField("offset", receipt.offset());
        json.writeEndObject();
        json.writeEndObject();
    }

    private static void writeBalance(JsonGenerator json, long balance) throws IOException {
        json.writeStartObject();
        json.writeNumberField("balance", balance);
        json.writeEndObject();
    }

    private static long integer(JsonParser parser) throws IOException {
        if (parser.currentToken() != JsonToken.VALUE_NUMBER_INT) {
            throw new SerializationException(parser.currentName() + " is not an integer");
        }
        return parser.getLongValue();
    }

    private static String text(JsonParser parser) throws IOException {
        if (parser.currentToken() != JsonToken.VALUE_STRING) {
            throw new SerializationException(parser.currentName() + " is not a string");
        }
        return parser.getText();
    }

    private static long required(String field, OptionalLong value) {
        return value.orElseThrow(() -> new SerializationException(field + " is missing"));
    }

    private static String required(String field, String value) {
        if (value == null) {
            throw new SerializationException(field + " is missing");
        }
        return value;
    }

    private interface Reader<T> {
        T read(JsonParser parser) throws IOException;
    }

    private interface Writer {
        void write(JsonGenerator generator) throws IOException;
    }

    private static <T> T read(String what, byte[] data, Reader<T> reader) {
        if (data == null) {
            throw new SerializationException("a " + what + " without a value");
        }
        try (JsonParser parser = FACTORY.createParser(data)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new SerializationException("a " + what + " must be a JSON object");
            }
            T value = reader.read(parser);
            if (parser.currentToken() != JsonToken.END_OBJECT || parser.nextToken() != null) {
                throw new SerializationException("a " + what + " must be one JSON object");
            }
            return value;
        } catch (IOException error) {
            throw new SerializationException("a " + what + " that is not JSON", error);
        }
    }

    private static byte[] write(Writer writer) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
        try (JsonGenerator generator = FACTORY.createGenerator(bytes)) {
            writer.write(generator);
        } catch (IOException error) {
            throw new SerializationException(error);
        }
        return bytes.toByteArray();
    }
}
