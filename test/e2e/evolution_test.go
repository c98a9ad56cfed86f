package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// A source whose schema grows, under each policy, on a broker and a registry that others wrote. The first
// three quarters of the records are of the first schema, every second one of the rest is of a new one.
func TestSchemaEvolutionDecidesBeforeTheRegistry(t *testing.T) {
	const records, known = 400, 300
	bootstrap, registry := env.Kafka(t).Bootstrap, env.Registry(t)
	w := harness.Start(t, harness.Config{Bootstrap: bootstrap})
	in := filepath.Join(t.TempDir(), "in.txt")
	var text strings.Builder
	grown := 0
	for i := range records {
		line := strconv.Itoa(i)
		if i >= known && i%2 == 0 {
			line = "new" + line
			grown++
		}
		text.WriteString(line + "\n")
	}
	if err := os.WriteFile(in, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	create := func(policy string, more map[string]string) (name string, props map[string]string) {
		name = env.Name(t) + "-" + policy + strconv.Itoa(len(more))
		props = map[string]string{
			"connector.class": harness.SourceClass, "topic": name, "file": in, "tasks.max": "1", "key.converter": "StringConverter",
			"value.converter": "AvroConverter", "value.converter.schema.registry.url": registry, "schema.evolution": policy,
			"transforms": "hoist,grow", "transforms.hoist.type": "HoistField$Value", "transforms.hoist.field": "line",
			"transforms.grow.type": "InsertField$Value", "transforms.grow.static.field": "extra", "transforms.grow.static.value": "1", "transforms.grow.predicate": "new",
			"predicates": "new", "predicates.new.type": "Expression", "predicates.new.condition": `value.line.startsWith("new")`,
		}
		maps.Copy(props, more)
		createTopic(t, bootstrap, name, nil)
		w.CreateOnly(name, props)
		return name, props
	}
	wantIDs := func(topic string, total, ids int) {
		t.Helper()
		awaitRecords(t, w, bootstrap, topic, topic, total)
		seen := map[string]int{}
		for i, r := range scan(t, bootstrap, topic) {
			seen[string(r.Value[:5])]++
			if i < known && !strings.HasSuffix(string(r.Value), strconv.Itoa(i)) {
				t.Fatalf("record %d is %q", i, r.Value)
			}
		}
		if n := registered(t, registry, topic); len(seen) != ids || n != ids {
			t.Errorf("topic %s has values of %d schemas and the registry has %d, want %d", topic, len(seen), n, ids)
		}
	}

	evolved, _ := create("evolve", nil)
	wantIDs(evolved, records, 2)
	ignored, _ := create("ignore", nil)
	wantIDs(ignored, records, 1)

	// strict: the task fails, also when it starts again, because the registry remembers.
	failed, _ := create("strict", nil)
	want := `schema.evolution=strict of connector ` + failed + ` does not let a changed schema pass: the value for topic ` + failed +
		`: compared with version 1 of subject ` + failed + `-value, field "extra" is new (optional STRING)`
	w.SaysInStatus(failed, "FAILED", want)
	restart(t, w, failed)
	w.SaysInStatus(failed, "FAILED", want)

	// Tolerated, they are dead letters, which come when the schema may change.
	letters := env.Name(t) + "-dlq"
	strict, props := create("strict", map[string]string{
		"errors.tolerance": "all", "errors.deadletterqueue.topic.name": letters, "errors.deadletterqueue.topic.replication.factor": "1",
	})
	awaitRecords(t, w, bootstrap, strict, letters, grown)
	for i, r := range scan(t, bootstrap, letters) {
		got := headersOf(r)
		if got["stage"] != "VALUE_CONVERTER" || got["exception.class.name"] != "org.apache.kafka.connect.errors.SchemaProjectorException" ||
			got["topic"] != strict || !strings.Contains(got["exception.message"], `field "extra" is new`) && !strings.Contains(got["exception.message"], "schema.evolution=strict") {
			t.Fatalf("dead letter %d has %q", i, got)
		}
	}
	if n := registered(t, registry, strict); n != 1 {
		t.Errorf("%d schemas are registered, want 1", n)
	}
	props["name"], props["schema.evolution"] = strict, "evolve"
	file := filepath.Join(t.TempDir(), "source.json")
	mended, err := json.Marshal(props)
	if err == nil {
		err = os.WriteFile(file, mended, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	replay(t, bootstrap, letters, "--config", file)
	awaitTopic(t, bootstrap, strict, records)
	if n := registered(t, registry, strict); n != 2 {
		t.Errorf("%d schemas are registered, want 2", n)
	}
}

// registered counts the versions that a registry has of a topic's values.
func registered(t *testing.T, url, topic string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/subjects/"+topic+"-value/versions", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var list []int
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return len(list)
}
