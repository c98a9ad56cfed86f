package convert

import "github.com/tailrace/tailrace/sdk/go/data"

type simpleHeaderConverter struct{}

func (*simpleHeaderConverter) FromHeader(dst []byte, topic, _ string, s *data.Schema, wire []byte) (out, after []byte, err error) {
	return (&stringConverter{}).FromConnect(dst, topic, s, wire)
}

func (*simpleHeaderConverter) ToHeader(dst []byte, topic, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	return (&stringConverter{}).ToConnect(dst, topic, kafka)
}
