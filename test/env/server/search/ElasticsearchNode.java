import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** One Elasticsearch node with HTTP and nothing else: arguments are its HTTP port, its transport port and its folder. */
public class ElasticsearchNode {
    public static void main(String[] args) throws Throwable {
        Path home = Path.of(args[2]);
        System.setProperty("es.path.home", home.toString());
        System.setProperty("es.distribution.type", "tar");
        Settings settings = Settings.builder()
            .put("path.home", home).put("path.data", home.resolve("data")).put("path.logs", home.resolve("logs"))
            .put("cluster.name", "tailrace-test").put("node.name", "node").put("discovery.type", "single-node")
            .put("http.port", Integer.parseInt(args[0])).put("transport.port", Integer.parseInt(args[1]))
            .put("network.host", "127.0.0.1").put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        LogConfigurator.configureESLogging();
        LogConfigurator.configureWithoutConfig(settings);
        var modules = PluginsLoader.loadModulesBundles(home.resolve("modules"), true);
        Node node = new Node(new Environment(settings, home.resolve("config")),
            PluginsLoader.createPluginsLoader(modules, Set.of(), Map.of()));
        node.start();
        new CountDownLatch(1).await();
    }
}
