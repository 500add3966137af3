import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The handbook's 14 features by Kafka Streams, exactly once, as one would
 * write them there: a customer stage on transaction_topic, a repartition by
 * terminal, a terminal stage, and the sink. A key's state is one buffer of
 * (time, value) in a store in memory with its changelog.
 *
 * java Peer brokers input output applicationId threads partitions stateFolder
 *
 * It runs until its stdin ends.
 */
public final class Peer {
  private static final int DAY = 86400;

  /** A payment and its features, under the names of the topics. */
  public static final class Payment {
    @JsonProperty("TRANSACTION_ID") public int id;
    @JsonProperty("TX_DATETIME") public String datetime;
    @JsonProperty("CUSTOMER_ID") public int customer;
    @JsonProperty("TERMINAL_ID") public int terminal;
    @JsonProperty("TX_AMOUNT") public double amount;
    @JsonProperty("TX_TIME_SECONDS") public int second;
    @JsonProperty("TX_TIME_DAYS") public int day;
    @JsonProperty("TX_FRAUD") public int fraud;
    @JsonProperty("TX_FRAUD_SCENARIO") public int scenario;
    @JsonProperty("TX_DURING_WEEKEND") public int weekend;
    @JsonProperty("TX_DURING_NIGHT") public int night;
    @JsonProperty("CUSTOMER_ID_NB_TX_1DAY_WINDOW") public int customerCount1;
    @JsonProperty("CUSTOMER_ID_AVG_AMOUNT_1DAY_WINDOW") public double customerMean1;
    @JsonProperty("CUSTOMER_ID_NB_TX_7DAY_WINDOW") public int customerCount7;
    @JsonProperty("CUSTOMER_ID_AVG_AMOUNT_7DAY_WINDOW") public double customerMean7;
    @JsonProperty("CUSTOMER_ID_NB_TX_30DAY_WINDOW") public int customerCount30;
    @JsonProperty("CUSTOMER_ID_AVG_AMOUNT_30DAY_WINDOW") public double customerMean30;
    @JsonProperty("TERMINAL_ID_NB_TX_1DAY_WINDOW") public int terminalCount1;
    @JsonProperty("TERMINAL_ID_RISK_1DAY_WINDOW") public double terminalRisk1;
    @JsonProperty("TERMINAL_ID_NB_TX_7DAY_WINDOW") public int terminalCount7;
    @JsonProperty("TERMINAL_ID_RISK_7DAY_WINDOW") public double terminalRisk7;
    @JsonProperty("TERMINAL_ID_NB_TX_30DAY_WINDOW") public int terminalCount30;
    @JsonProperty("TERMINAL_ID_RISK_30DAY_WINDOW") public double terminalRisk30;
  }

  private static final ObjectMapper MAPPER =
      new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);

  private static byte[] write(String topic, Payment payment) {
    try {
      return payment == null ? null : MAPPER.writeValueAsBytes(payment);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static Payment read(String topic, byte[] bytes) {
    try {
      return bytes == null ? null : MAPPER.readValue(bytes, Payment.class);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** Entries of 12 bytes: second, amount. The windows end at the payment. */
  private static final class CustomerWindows
      implements Processor<String, Payment, String, Payment> {
    private static final int ENTRY = 12;
    private ProcessorContext<String, Payment> context;
    private KeyValueStore<Integer, byte[]> store;

    @Override public void init(ProcessorContext<String, Payment> context) {
      this.context = context;
      store = context.getStateStore("customers");
    }

    @Override public void process(Record<String, Payment> record) {
      Payment payment = record.value();
      int second = payment.second;
      payment.weekend = (6 + second / DAY) % 7 >= 5 ? 1 : 0; // 2018-04-01 is a Sunday
      payment.night = second % DAY / 3600 <= 6 ? 1 : 0;
      byte[] old = store.get(payment.customer);
      int count = old == null ? 0 : old.length / ENTRY;
      ByteBuffer before = old == null ? null : ByteBuffer.wrap(old);
      int first = 0;
      while (first < count && before.getInt(first * ENTRY) <= second - 30 * DAY) first++;
      byte[] bytes = new byte[(count - first + 1) * ENTRY];
      if (count > first) System.arraycopy(old, first * ENTRY, bytes, 0, (count - first) * ENTRY);
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      int last = count - first;
      buffer.putInt(last * ENTRY, second);
      buffer.putDouble(last * ENTRY + 4, payment.amount);
      double sum = 0;
      int n = 0;
      int i = last;
      for (; i >= 0 && buffer.getInt(i * ENTRY) > second - DAY; i--, n++) {
        sum += buffer.getDouble(i * ENTRY + 4);
      }
      payment.customerCount1 = n;
      payment.customerMean1 = sum / n;
      for (; i >= 0 && buffer.getInt(i * ENTRY) > second - 7 * DAY; i--, n++) {
        sum += buffer.getDouble(i * ENTRY + 4);
      }
      payment.customerCount7 = n;
      payment.customerMean7 = sum / n;
      for (; i >= 0; i--, n++) sum += buffer.getDouble(i * ENTRY + 4);
      payment.customerCount30 = n;
      payment.customerMean30 = sum / n;
      store.put(payment.customer, bytes);
      context.forward(record);
    }
  }

  /**
   * Entries of 4 bytes: second and fraud. The windows end 7 days back. Rows
   * come out of order from the partitions of the source: they are put in place,
   * with two days of slack.
   */
  private static final class TerminalWindows
      implements Processor<Integer, Payment, Integer, Payment> {
    private static final int ENTRY = 4;
    private ProcessorContext<Integer, Payment> context;
    private KeyValueStore<Integer, byte[]> store;

    @Override public void init(ProcessorContext<Integer, Payment> context) {
      this.context = context;
      store = context.getStateStore("terminals");
    }

    @Override public void process(Record<Integer, Payment> record) {
      Payment payment = record.value();
      int second = payment.second;
      byte[] old = store.get(payment.terminal);
      int count = old == null ? 0 : old.length / ENTRY;
      ByteBuffer before = old == null ? null : ByteBuffer.wrap(old);
      int first = 0;
      while (first < count && secondOf(before, first) <= second - 39 * DAY) first++;
      byte[] bytes = new byte[(count - first + 1) * ENTRY];
      if (count > first) System.arraycopy(old, first * ENTRY, bytes, 0, (count - first) * ENTRY);
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      int last = count - first;
      int at = last;
      for (; at > 0 && secondOf(buffer, at - 1) > second; at--) {
        buffer.putInt(at * ENTRY, buffer.getInt((at - 1) * ENTRY));
      }
      buffer.putInt(at * ENTRY, second * 2 + payment.fraud);
      int i = last;
      while (i >= 0 && secondOf(buffer, i) > second - 7 * DAY) i--;
      int n = 0;
      int frauds = 0;
      for (; i >= 0 && secondOf(buffer, i) > second - 8 * DAY; i--, n++) frauds += fraudOf(buffer, i);
      payment.terminalCount1 = n;
      payment.terminalRisk1 = n == 0 ? 0 : (double) frauds / n;
      for (; i >= 0 && secondOf(buffer, i) > second - 14 * DAY; i--, n++) frauds += fraudOf(buffer, i);
      payment.terminalCount7 = n;
      payment.terminalRisk7 = n == 0 ? 0 : (double) frauds / n;
      for (; i >= 0 && secondOf(buffer, i) > second - 37 * DAY; i--, n++) frauds += fraudOf(buffer, i);
      payment.terminalCount30 = n;
      payment.terminalRisk30 = n == 0 ? 0 : (double) frauds / n;
      store.put(payment.terminal, bytes);
      context.forward(record);
    }

    private static int secondOf(ByteBuffer buffer, int index) {
      return buffer.getInt(index * ENTRY) >> 1;
    }

    private static int fraudOf(ByteBuffer buffer, int index) {
      return buffer.getInt(index * ENTRY) & 1;
    }
  }

  private static StoreBuilder<KeyValueStore<Integer, byte[]>> store(String name) {
    return Stores.keyValueStoreBuilder(
        Stores.inMemoryKeyValueStore(name), Serdes.Integer(), Serdes.ByteArray());
  }

  public static void main(String[] args) throws IOException {
    String brokers = args[0];
    String input = args[1];
    String output = args[2];
    Serde<Payment> payments = Serdes.serdeFrom(Peer::write, Peer::read);
    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(store("customers"));
    builder.addStateStore(store("terminals"));
    builder
        .stream(input, Consumed.with(Serdes.String(), payments))
        .process(CustomerWindows::new, "customers")
        .selectKey((key, payment) -> payment.terminal)
        .repartition(
            Repartitioned.with(Serdes.Integer(), payments)
                .withName("by-terminal")
                .withNumberOfPartitions(Integer.parseInt(args[5])))
        .process(TerminalWindows::new, "terminals")
        .to(output, Produced.with(Serdes.Integer(), payments));
    Properties settings = new Properties();
    settings.put("application.id", args[3]);
    settings.put("bootstrap.servers", brokers);
    settings.put("processing.guarantee", "exactly_once_v2");
    settings.put("num.stream.threads", args[4]);
    settings.put("state.dir", args[6]);
    settings.put("replication.factor", 1);
    settings.put("auto.offset.reset", "earliest");
    // Larger batches and longer transactions than usual, or it would be slower.
    settings.put("commit.interval.ms", 1000);
    settings.put("main.consumer.max.poll.records", 2000);
    settings.put("producer.linger.ms", 20);
    settings.put("producer.batch.size", 131072);
    settings.put("producer.compression.type", "lz4");
    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    streams.start();
    while (System.in.read() >= 0) {
      // until stdin ends
    }
    streams.close(Duration.ofSeconds(20));
    streams.cleanUp();
  }
}
