import java.io.DataInputStream;
import java.io.FileInputStream;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.transforms.Cast;
import org.apache.kafka.connect.transforms.InsertField;
import org.apache.kafka.connect.transforms.MaskField;
import org.apache.kafka.connect.transforms.RegexRouter;
import org.apache.kafka.connect.transforms.ReplaceField;
import org.apache.kafka.connect.transforms.Transformation;

/** Kafka Connect's own classes, fed the records of a file. Prints "case nanoseconds-of-CPU-per-record". */
public class Driver {
  static Object sink;
  static int records;

  static long cpu() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  static void run(String name, IntConsumer one) {
    for (int i = 0; i < records; i++) { // the compiler's work is not counted
      one.accept(i);
    }
    long before = cpu();
    for (int i = 0; i < records; i++) {
      one.accept(i);
    }
    System.out.println(name + " " + (cpu() - before) / records);
  }

  static List<byte[]> read(String path) throws Exception {
    List<byte[]> list = new ArrayList<>();
    try (DataInputStream in = new DataInputStream(new FileInputStream(path))) {
      for (int n = in.readInt(); n > 0; n--) {
        byte[] b = new byte[in.readInt()];
        in.readFully(b);
        list.add(b);
      }
    }
    return list;
  }

  static <T extends Transformation<SinkRecord>> T configured(T t, Map<String, String> config) {
    t.configure(config);
    return t;
  }

  public static void main(String[] args) throws Exception {
    records = Integer.parseInt(args[1]);
    for (String enable : new String[] {"true", "false"}) {
      String form = enable.equals("true") ? "with-schema" : "plain";
      List<byte[]> input = read(args[0] + "/" + form);
      JsonConverter c = new JsonConverter();
      c.configure(new HashMap<>(Map.of("schemas.enable", enable)), false);
      int n = input.size();
      run("json-read-" + form, i -> sink = c.toConnectData("t", input.get(i % n)));
      List<SchemaAndValue> values = new ArrayList<>();
      for (byte[] b : input) {
        values.add(c.toConnectData("t", b));
      }
      run("json-write-" + form, i -> sink = c.fromConnectData("t", values.get(i % n).schema(), values.get(i % n).value()));
      List<Transformation<SinkRecord>> chain = List.of(
          configured(new InsertField.Value<>(), Map.of("static.field", "source", "static.value", "bench", "timestamp.field", "at")),
          configured(new ReplaceField.Value<>(), Map.of("exclude", "note", "renames", "name:title")),
          configured(new Cast.Value<>(), Map.of("spec", "quantity:int64,price:string")),
          configured(new MaskField.Value<>(), Map.of("fields", "email")),
          configured(new RegexRouter<>(), Map.of("regex", "(.*)-raw", "replacement", "$1")));
      run("chain-" + form, i -> {
        SchemaAndValue v = values.get(i % n);
        SinkRecord r = new SinkRecord("orders-raw", 0, null, null, v.schema(), v.value(), i, 1700000000123L, TimestampType.CREATE_TIME);
        for (Transformation<SinkRecord> t : chain) {
          r = t.apply(r);
        }
        sink = r;
      });
    }
  }
}
