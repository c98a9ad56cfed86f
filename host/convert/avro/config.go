package avro

import (
	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/host/convert/registry"
)

// options are those of the mapping.
type options struct {
	cacheSize       int
	enhanced        bool // enhanced.avro.schema.support
	metadata        bool // connect.meta.data
	scrub           bool // scrub.invalid.names
	optionalMapKeys bool // allow.optional.map.keys
	flattenSingle   bool // flatten.singleton.unions
	generalized     bool // generalized.sum.type.support
	keepNull        bool // ignore.default.for.nullables
}

func parseOptions(props map[string]string) (*options, error) {
	o := &options{cacheSize: 1000, metadata: true, flattenSingle: true}
	discard := false
	p := registry.Props(props)
	for key, flag := range map[string]*bool{
		"enhanced.avro.schema.support": &o.enhanced, "connect.meta.data": &o.metadata, "scrub.invalid.names": &o.scrub,
		"allow.optional.map.keys": &o.optionalMapKeys, "flatten.singleton.unions": &o.flattenSingle,
		"generalized.sum.type.support": &o.generalized, "ignore.default.for.nullables": &o.keepNull,
		"discard.type.doc.default": &discard,
	} {
		if err := p.Bool(key, flag); err != nil {
			return nil, err
		}
	}
	if discard {
		return nil, javaerr.Config("discard.type.doc.default=true is not supported; leave it out")
	}
	for _, key := range []string{"schemas.cache.config", "schemas.cache.size"} {
		if err := p.Int(key, &o.cacheSize, 0); err != nil {
			return nil, err
		}
	}
	o.cacheSize = max(o.cacheSize, 1)
	return o, nil
}

// Names that both sides of the mapping use.
const (
	namespace   = "io.confluent.connect.avro"
	defaultName = "ConnectDefault"
	mapEntry    = "MapEntry"
	anything    = "Anything"

	unionName = namespace + ".Union"
	enumParam = namespace + ".Enum"
	recordDoc = namespace + ".record.doc"
	fieldDoc  = namespace + ".field.doc."
	enumDoc   = namespace + ".enum.doc."
	enumDef   = namespace + ".enum.default."
	fieldDef  = namespace + ".field.default"

	// With generalized.sum.type.support, unions and enums are marked by these parameters of Kafka Connect.
	sumUnion  = "org.apache.kafka.connect.data.Union"
	sumEnum   = "org.apache.kafka.connect.data.Enum"
	sumPrefix = "connect_union_"
	sumField  = sumPrefix + "field_"

	fixedParam     = "connect.fixed.size"
	precisionParam = "connect.decimal.precision"
	usualPrecision = 64

	propName, propDoc, propVersion, propParams  = "connect.name", "connect.doc", "connect.version", "connect.parameters"
	propDefault, propType, propInternal         = "connect.default", "connect.type", "connect.internal.type"
	propLogical, propPrecision, propScale       = "logicalType", "precision", "scale"
	logicalDecimal, logicalDate                 = "decimal", "date"
	logicalTimeMillis, logicalTimestampMillis   = "time-millis", "timestamp-millis"
	typeRecord, typeEnum, typeFixed, typeArray  = "record", "enum", "fixed", "array"
	typeMap, typeBytes, typeString, typeBoolean = "map", "bytes", "string", "boolean"
	typeInt, typeLong, typeFloat, typeDouble    = "int", "long", "float", "double"
	typeNull                                    = "null"
)
