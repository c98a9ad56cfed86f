package convert

import "github.com/tailrace/tailrace/sdk/go/data"

func newJSON(map[string]string) (both, error) { panic("soon") }

type simpleHeaderConverter struct{}
func (*simpleHeaderConverter) FromHeader(dst []byte, topic, name string, s *data.Schema, wire []byte) (out, after []byte, err error) { panic("soon") }
func (*simpleHeaderConverter) ToHeader(dst []byte, topic, name string, kafka []byte) (schema *data.Schema, after []byte, err error)  { panic("soon") }
