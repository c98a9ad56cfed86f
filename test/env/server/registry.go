package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// RegistryVersion is the version of Apicurio Registry, which speaks Confluent's protocol under /apis/ccompat/v7.
const RegistryVersion = "3.3.3"

const (
	registryArtifact = "io.apicurio:apicurio-registry-app:" + RegistryVersion + ":tar.gz:all"
	mavenCopy        = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
)

// Registry is a schema registry with its schemas in memory.
type Registry struct {
	process *process
	dir     string // registry.log
	base    string
}

// StartRegistry starts a registry and returns when it answers. Close ends it.
func StartRegistry(ctx context.Context) (*Registry, error) {
	java, err := FindJava()
	if err != nil {
		return nil, err
	}
	app, err := fetchRegistry(ctx)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tailrace-registry-")
	if err != nil {
		return nil, err
	}
	r := &Registry{dir: dir, base: fmt.Sprintf("http://127.0.0.1:%d", ports[0])}
	argv := []string{
		java.Command(), "-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dquarkus.http.host=127.0.0.1", fmt.Sprintf("-Dquarkus.http.port=%d", ports[0]),
		"-Dquarkus.management.host=127.0.0.1", fmt.Sprintf("-Dquarkus.management.port=%d", ports[1]),
		"-Dapicurio.storage.kind=sql", "-Dapicurio.storage.sql.kind=h2",
		"-Dapicurio.datasource.url=jdbc:h2:mem:registry_db;DB_CLOSE_DELAY=-1", "-jar", filepath.Join(app, "quarkus-run.jar"),
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not within %s", startTimeout))
	defer cancel()
	if r.process, err = startProcess(argv, os.Environ(), r.Log(), dir); err != nil {
		return nil, errors.Join(fmt.Errorf("start a schema registry: %w", err), os.RemoveAll(dir))
	}
	err = r.process.await(ctx, "an answer of "+r.URL()+"/subjects", func() bool { return r.call(ctx, http.MethodGet, "/subjects", "") == nil })
	if err == nil {
		// Its default is NONE; Confluent's is BACKWARD.
		err = r.call(ctx, http.MethodPut, "/config", `{"compatibility":"BACKWARD"}`)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a schema registry: %w", err), r.Close())
	}
	return r, nil
}

// URL is the base of the Confluent-compatible API, for schema.registry.url.
func (r *Registry) URL() string { return r.base + "/apis/ccompat/v7" }

// Log is the path of the registry's log.
func (r *Registry) Log() string { return filepath.Join(r.dir, "registry.log") }

// Close ends the registry.
func (r *Registry) Close() error { return errors.Join(r.process.stop(stopGrace), os.RemoveAll(r.dir)) }

func (r *Registry) call(ctx context.Context, method, path, body string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, r.URL()+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Close = true
	request.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s answered %s: %s", method, path, response.Status, answer)
	}
	return err
}

// fetchRegistry returns the folder of the application. The first call on a checkout downloads 159 MB.
func fetchRegistry(ctx context.Context) (string, error) {
	dir, unlock, err := Cache("apicurio-" + RegistryVersion)
	if err != nil {
		return "", err
	}
	defer unlock()
	app := filepath.Join(dir, "app")
	if _, err := os.Stat(app); err == nil {
		return app, nil
	}
	maven, err := exec.LookPath("mvn")
	if err != nil {
		return "", errors.New("mvn is needed once to fetch the schema registry and is not on PATH (Debian: apt-get install maven)")
	}
	fmt.Fprintf(os.Stderr, "test/env: fetching Apicurio Registry %s into %s (once)\n", RegistryVersion, dir)
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	work, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if out, err := exec.CommandContext(ctx, maven, "-q", "-B", mavenCopy, "-Dartifact="+registryArtifact, "-DoutputDirectory="+work).CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch the schema registry with %s: %w\n%s", maven, err, out)
	}
	archive := filepath.Join(work, "apicurio-registry-app-"+RegistryVersion+"-all.tar.gz")
	unpacked := filepath.Join(work, "app")
	if err := os.Mkdir(unpacked, 0o750); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, "tar", "xzf", archive, "-C", unpacked).CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack the schema registry: %w\n%s", err, out)
	}
	return app, os.Rename(unpacked, app)
}
