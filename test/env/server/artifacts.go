package server

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// KafkaVersion is the version of the broker and of Kafka Connect. It is the one of pom.xml.
const KafkaVersion = "4.1.0"

//go:embed pom.xml
var pom []byte

// artifacts is the cache folder shared by all servers of one checkout:
//
//	pom.xml           what lib/ was made from
//	lib/              the jars
//	formatted/        a formatted, empty broker data folder, copied for each new broker
//	broker-jdk25.jsa  class data archive that halves the start of a broker (JDK 19 and newer)
type artifacts struct {
	dir  string
	java Java
}

const (
	fetchTimeout  = 10 * time.Minute
	formatTimeout = time.Minute
	mavenGoal     = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
)

// classPath is the class path of everything. Java expands the star itself.
func (a artifacts) classPath() string { return filepath.Join(a.dir, "lib", "*") }

func (a artifacts) archive() string {
	return filepath.Join(a.dir, fmt.Sprintf("broker-jdk%d.jsa", a.java.Major))
}

// prepare returns the cache, filled. The first call on a checkout downloads 54 MB and may take minutes; a file lock
// makes other processes wait for it.
func prepare(ctx context.Context) (artifacts, error) {
	java, err := FindJava()
	if err != nil {
		return artifacts{}, err
	}
	dir, unlock, err := Cache("kafka-" + KafkaVersion)
	if err != nil {
		return artifacts{}, err
	}
	defer unlock()
	a := artifacts{dir: dir, java: java}
	if err := fetchJars(ctx, a.dir, "Apache Kafka "+KafkaVersion, pom); err != nil {
		return artifacts{}, err
	}
	if err := a.formatTemplate(ctx); err != nil {
		return artifacts{}, err
	}
	return a, nil
}

// fetchJars downloads the jars of a pom into lib/ of a cache folder, unless that was made from this very pom.
func fetchJars(ctx context.Context, dir, what string, pom []byte) error {
	pomFile := filepath.Join(dir, "pom.xml")
	lib := filepath.Join(dir, "lib")
	if have, err := os.ReadFile(pomFile); err == nil && bytes.Equal(have, pom) {
		return nil
	}
	maven, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("mvn is needed once to fetch the jars of %s and is not on PATH (Debian: apt-get install maven)", what)
	}

	fmt.Fprintf(os.Stderr, "test/env: fetching %s into %s (once)\n", what, dir)
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	work, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), pom, 0o600); err != nil {
		return err
	}
	jars := filepath.Join(work, "lib")
	out, err := exec.CommandContext(ctx, maven, "-q", "-B", "-f", filepath.Join(work, "pom.xml"), mavenGoal,
		"-DincludeScope=runtime", "-DoutputDirectory="+jars).CombinedOutput()
	if err != nil {
		return fmt.Errorf("fetch the jars of %s with %s: %w\n%s", what, maven, err, out)
	}

	// pom.xml is written last: it says that lib/ is whole.
	if err := errors.Join(os.RemoveAll(pomFile), os.RemoveAll(lib)); err != nil {
		return err
	}
	if err := os.Rename(jars, lib); err != nil {
		return err
	}
	return os.WriteFile(pomFile, pom, 0o600)
}

// formatTemplate formats a data folder once, with Kafka's own tool: each new broker starts from a copy, which saves
// a second of JVM start. The copies share cluster and directory id, which is no matter for brokers that never meet.
func (a artifacts) formatTemplate(ctx context.Context) error {
	template := filepath.Join(a.dir, "formatted")
	if _, err := os.Stat(template); err == nil {
		return nil
	}
	work, err := os.MkdirTemp(a.dir, "format-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	data := filepath.Join(work, "data")
	config := filepath.Join(work, "server.properties")
	if err := writeProperties(config, brokerProperties(data, "127.0.0.1", 9092, 9093)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, formatTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, a.java.Command(), "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-cp", a.classPath(), "kafka.tools.StorageTool", "format", "-t", clusterID, "-c", config).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format a broker's data folder: %w\n%s", err, out)
	}
	return os.Rename(data, template)
}
