package openapi

import (
	_ "embed"
	"encoding/json"
	"sync"

	"gopkg.in/yaml.v3"
)

//go:embed openapi.yaml
var source []byte

// JSON is the document. It must not be changed.
var JSON = sync.OnceValue(func() []byte {
	var document map[string]any
	if err := yaml.Unmarshal(source, &document); err != nil {
		panic("openapi.yaml: " + err.Error()) // a test reads it
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic("openapi.yaml: " + err.Error())
	}
	return text
})
