package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

const distinct = 1000 // records in a file

// orders are records of eight fields, about 170 bytes each as JSON.
func orders() (wires [][]byte, s *data.Schema, err error) {
	s = data.NewStruct().Name("com.acme.Order").Version(1).
		Field("id", data.Int64Schema).Field("name", data.StringSchema).Field("email", data.OptionalStringSchema).
		Field("price", data.Float64Schema).Field("quantity", data.Int32Schema).Field("active", data.BooleanSchema).
		Field("note", data.OptionalStringSchema).Field("ts", data.Int64Schema).MustBuild()
	for i := range distinct {
		v, err := data.NewValue(s).Set("id", int64(123456789+i)).Set("name", "A widget with a name "+strconv.Itoa(i)).Set("email", "someone@example.com").
			Set("price", float64(i)+0.75).Set("quantity", i%7).Set("active", i%2 == 0).Set("note", "leave it at the door, please").
			Set("ts", int64(1700000000123+i)).Build()
		if err != nil {
			return nil, nil, err
		}
		wire, err := data.AppendValue(nil, s, v)
		if err != nil {
			return nil, nil, err
		}
		wires = append(wires, wire)
	}
	return wires, s, nil
}

func written(c convert.Converter, s *data.Schema, wires [][]byte) ([][]byte, error) {
	list := make([][]byte, 0, len(wires))
	for _, wire := range wires {
		out, _, err := c.FromConnect(nil, topic, s, wire)
		if err != nil {
			return nil, err
		}
		list = append(list, bytes.Clone(out))
	}
	return list, nil
}

// save writes what Driver.java reads.
func save(path string, records [][]byte) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(records)))
	for _, r := range records {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(r))), r...)
	}
	return os.WriteFile(path, b, 0o600)
}

// avroSchema asks the registry for the schema of an Avro record.
func avroSchema(ctx context.Context, registry string, record []byte) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	url := fmt.Sprintf("%s/schemas/ids/%d", registry, binary.BigEndian.Uint32(record[1:]))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct {
		Schema string `json:"schema"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&answer); err != nil {
		return "", err
	}
	return answer.Schema, nil
}
