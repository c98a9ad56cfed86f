import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One OpenSearch node: arguments are its HTTP port, its transport port and its folder. */
public class OpenSearchNode {
    public static void main(String[] args) throws Exception {
        int http = Integer.parseInt(args[0]);
        int transport = Integer.parseInt(args[1]);
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.setMaxHttpPort(http); // above its own limit it would exit without a word
        runner.onBuild((number, settings) -> {
            settings.put("http.port", http);
            settings.put("transport.port", transport);
            settings.put("network.host", "127.0.0.1");
            settings.put("discovery.type", "single-node");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
        });
        CountDownLatch end = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                runner.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        try {
            runner.build(OpenSearchRunner.newConfigs().basePath(Path.of(args[2]).toString()).numOfNode(1)
                .baseHttpPort(http - 1).clusterName("tailrace-test").useLogger());
        } catch (Throwable e) {
            e.printStackTrace();
            System.exit(1);
        }
        end.await();
    }
}
