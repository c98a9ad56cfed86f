import io.apicurio.registry.utils.converter.AvroConverter;
import io.apicurio.registry.utils.converter.avro.AvroData;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.transforms.Cast;
import org.apache.kafka.connect.transforms.InsertField;
import org.apache.kafka.connect.transforms.MaskField;
import org.apache.kafka.connect.transforms.RegexRouter;
import org.apache.kafka.connect.transforms.ReplaceField;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * Kafka Connect's own classes, fed the records of the files in a folder. Reads lines "case number-of-records" from its input and
 * answers each with the nanoseconds of processor time that the whole process took.
 */
public class Driver {
  interface Case {
    Object one(int i) throws Exception;
  }

  static Object sink;
  static final Map<String, Case> cases = new HashMap<>();

  static long cpu() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
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

  static List<Transformation<SinkRecord>> five() {
    return List.of(
        configured(new InsertField.Value<>(), Map.of("static.field", "source", "static.value", "bench", "timestamp.field", "at")),
        configured(new ReplaceField.Value<>(), Map.of("exclude", "note", "renames", "name:title")),
        configured(new Cast.Value<>(), Map.of("spec", "quantity:int64,price:string")),
        configured(new MaskField.Value<>(), Map.of("fields", "email")),
        configured(new RegexRouter<>(), Map.of("regex", "(.*)-raw", "replacement", "$1")));
  }

  static SinkRecord through(List<Transformation<SinkRecord>> chain, SchemaAndValue v, int i) {
    SinkRecord r = new SinkRecord("orders-raw", 0, null, null, v.schema(), v.value(), i, 1700000000123L, TimestampType.CREATE_TIME);
    for (Transformation<SinkRecord> t : chain) {
      r = t.apply(r);
    }
    return r;
  }

  static void converter(String form, Converter c, List<byte[]> input) {
    int n = input.size();
    List<SchemaAndValue> values = new ArrayList<>();
    for (byte[] b : input) {
      values.add(c.toConnectData("orders-raw", b));
    }
    cases.put("read-" + form, i -> c.toConnectData("orders-raw", input.get(i % n)));
    cases.put("write-" + form, i -> c.fromConnectData("orders-raw", values.get(i % n).schema(), values.get(i % n).value()));
    List<Transformation<SinkRecord>> chain = five();
    cases.put("chain-" + form, i -> through(chain, values.get(i % n), i));
    List<Transformation<SinkRecord>> way = five();
    cases.put("way-" + form, i -> {
      SinkRecord r = through(way, c.toConnectData("orders-raw", input.get(i % n)), i);
      return c.fromConnectData(r.topic(), r.valueSchema(), r.value());
    });
  }

  /** Confluent's mapping with Avro's own reader and writer and no registry: the least that a converter can do. */
  static void bareAvro(Schema schema, List<byte[]> input) throws Exception {
    int n = input.size();
    AvroData mapping = new AvroData(1000);
    GenericDatumReader<Object> reader = new GenericDatumReader<>(schema);
    BinaryDecoder[] decoder = new BinaryDecoder[1];
    Case read = i -> {
      byte[] b = input.get(i % n);
      decoder[0] = DecoderFactory.get().binaryDecoder(b, 5, b.length - 5, decoder[0]);
      return mapping.toConnectData(schema, reader.read(null, decoder[0]));
    };
    List<SchemaAndValue> values = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      values.add((SchemaAndValue) read.one(i));
    }
    cases.put("read-bare-avro", read);
    GenericDatumWriter<Object> writer = new GenericDatumWriter<>(schema);
    BinaryEncoder[] encoder = new BinaryEncoder[1];
    cases.put("write-bare-avro", i -> {
      SchemaAndValue v = values.get(i % n);
      GenericData.Record record = (GenericData.Record) mapping.fromConnectData(v.schema(), v.value());
      writer.setSchema(mapping.fromConnectSchema(v.schema()));
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      out.write(0);
      out.write(new byte[4]);
      encoder[0] = EncoderFactory.get().directBinaryEncoder(out, encoder[0]);
      writer.write(record, encoder[0]);
      encoder[0].flush();
      return out.toByteArray();
    });
  }

  public static void main(String[] args) throws Exception {
    Path dir = Path.of(args[0]);
    for (String form : new String[] {"json-with-schema", "json-plain"}) {
      JsonConverter c = new JsonConverter();
      c.configure(new HashMap<>(Map.of("schemas.enable", form.equals("json-plain") ? "false" : "true")), false);
      converter(form, c, read(dir.resolve(form).toString()));
    }
    if (args.length > 1) {
      List<byte[]> avro = read(dir.resolve("avro").toString());
      AvroConverter<Object> c = new AvroConverter<>();
      c.configure(new HashMap<>(Map.of("apicurio.registry.url", args[1], "apicurio.registry.auto-register", "true",
          "apicurio.registry.as-confluent", "true", "apicurio.registry.use-id", "contentId")), false);
      converter("avro", c, avro);
      bareAvro(new Schema.Parser().parse(Files.readString(dir.resolve("avro-schema"))), avro);
    }

    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    System.out.println("ready");
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split(" ");
      Case one = cases.get(words[0]);
      int records = Integer.parseInt(words[1]);
      long before = cpu();
      for (int i = 0; i < records; i++) {
        sink = one.one(i);
      }
      System.out.println(cpu() - before);
    }
  }
}
