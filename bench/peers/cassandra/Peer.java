import com.datastax.driver.core.*;
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.Semaphore;
import java.util.stream.*;

/**
 * The Java driver's way to write payments: prepared statements, executeAsync, a
 * fixed number in flight. Rows come from a tab-separated file and are bound
 * objects before the clock starts; a part of them is written before to have the
 * code compiled. Prints seconds and seconds of processor time.
 *
 * args: host port keyspace file inFlight one|all (tables)
 */
public class Peer {
  static final int WARM_UP = 20_000;

  public static void main(String[] args) throws Exception {
    String keyspace = args[2];
    int inFlight = Integer.parseInt(args[4]);
    PoolingOptions pooling = new PoolingOptions()
        .setMaxRequestsPerConnection(HostDistance.LOCAL, 4096);
    try (Cluster cluster = Cluster.builder().addContactPoint(args[0])
            .withPort(Integer.parseInt(args[1])).withPoolingOptions(pooling)
            .withoutJMXReporting().build();
        Session session = cluster.connect()) {
      Path file = Path.of(args[3]);
      List<Table> tables = new ArrayList<>();
      List<String> lines = Files.readAllLines(file);
      String[] names = lines.get(0).split("\t");
      tables.add(new Table(session, keyspace, "transactions", names, names));
      if (args[5].equals("all")) {
        tables.add(new Table(session, keyspace, "transactions_by_customer", names,
            "customer_id", "tx_period", "tx_time_seconds", "transaction_id",
            "tx_datetime", "terminal_id", "tx_amount", "tx_fraud", "tx_fraud_scenario"));
        tables.add(new Table(session, keyspace, "transactions_by_terminal", names,
            "terminal_id", "tx_period", "tx_time_seconds", "transaction_id",
            "tx_datetime", "customer_id", "tx_amount", "tx_fraud", "tx_fraud_scenario"));
        tables.add(new Table(session, keyspace, "frauds_by_day", names,
            "tx_time_days", "tx_time_seconds", "transaction_id", "tx_datetime",
            "customer_id", "terminal_id", "tx_amount", "tx_fraud_scenario"));
      }
      List<Object[]> rows = new ArrayList<>();
      for (String line : lines.subList(1, lines.size())) rows.add(parse(line, names));
      int fraud = Arrays.asList(names).indexOf("tx_fraud");
      write(session, tables, rows.subList(0, Math.min(WARM_UP, rows.size())), fraud, inFlight);
      OperatingSystemMXBean system =
          (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
      long began = System.nanoTime();
      long processor = system.getProcessCpuTime();
      write(session, tables, rows, fraud, inFlight);
      System.out.printf(Locale.ROOT, "%.4f %.4f%n", (System.nanoTime() - began) / 1e9,
          (system.getProcessCpuTime() - processor) / 1e9);
    }
  }

  static void write(Session session, List<Table> tables, List<Object[]> rows, int fraud,
      int inFlight) throws InterruptedException {
    Semaphore free = new Semaphore(inFlight);
    for (Object[] row : rows) {
      for (Table table : tables) {
        if (table.name.equals("frauds_by_day") && (Integer) row[fraud] == 0) continue;
        free.acquire();
        session.executeAsync(table.bind(row)).addListener(free::release, Runnable::run);
      }
    }
    free.acquire(inFlight);
  }

  static Object[] parse(String line, String[] names) {
    String[] texts = line.split("\t");
    Object[] row = new Object[names.length];
    for (int i = 0; i < names.length; i++) {
      boolean real = names[i].matches(".*(amount|_risk_).*");
      row[i] = names[i].equals("tx_datetime") ? texts[i]
          : real ? (Object) Double.valueOf(texts[i]) : Integer.valueOf(texts[i]);
    }
    return row;
  }

  /** A table, its statement, and where its values are in a row. */
  static class Table {
    final String name;
    final PreparedStatement insert;
    final int[] places;
    final int days;

    Table(Session session, String keyspace, String name, String[] names, String... columns) {
      this.name = name;
      List<String> known = Arrays.asList(names);
      places = Stream.of(columns).mapToInt(known::indexOf).toArray();
      days = known.indexOf("tx_time_days");
      String values = Stream.of(columns).map(c -> "?").collect(Collectors.joining(", "));
      insert = session.prepare("INSERT INTO " + keyspace + "." + name + " ("
          + String.join(", ", columns) + ") VALUES (" + values + ")");
      insert.setConsistencyLevel(ConsistencyLevel.LOCAL_QUORUM);
    }

    BoundStatement bind(Object[] row) {
      Object[] values = new Object[places.length];
      for (int i = 0; i < values.length; i++) {
        values[i] = places[i] < 0 ? (Object) ((Integer) row[days] / 30) : row[places[i]];
      }
      return insert.bind(values);
    }
  }
}
