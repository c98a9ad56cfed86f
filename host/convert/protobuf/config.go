package protobuf

import (
	"strings"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/host/convert/registry"
)

// options are those of the mapping.
type options struct {
	cacheSize       int
	generalized     bool // generalized.sum.type.support
	ignoreDefault   bool // ignore.default.for.nullables
	enhanced        bool // enhanced.protobuf.schema.support
	scrub           bool // scrub.invalid.names
	intEnums        bool // int.for.enums
	optionals       bool // optional.for.nullables
	proto2Optionals bool // optional.for.proto2
	wrappers        bool // wrapper.for.nullables
	rawWrappers     bool // wrapper.for.raw.primitives
	structForNull   bool // generate.struct.for.nulls
	unionIndex      bool // generate.index.for.unions
	flatten         bool // flatten.unions
	skipKnown       bool // skip.known.types
	strict          bool // strict.values
}

func parseOptions(props map[string]string) (*options, error) {
	o := &options{cacheSize: 1000, proto2Optionals: true, rawWrappers: true, unionIndex: true, skipKnown: true}
	p := registry.Props(props)
	for key, flag := range map[string]*bool{
		"generalized.sum.type.support": &o.generalized, "ignore.default.for.nullables": &o.ignoreDefault,
		"enhanced.protobuf.schema.support": &o.enhanced, "scrub.invalid.names": &o.scrub, "int.for.enums": &o.intEnums,
		"optional.for.nullables": &o.optionals, "optional.for.proto2": &o.proto2Optionals, "wrapper.for.nullables": &o.wrappers,
		"wrapper.for.raw.primitives": &o.rawWrappers, "generate.struct.for.nulls": &o.structForNull,
		"generate.index.for.unions": &o.unionIndex, "flatten.unions": &o.flatten, "skip.known.types": &o.skipKnown, "strict.values": &o.strict,
	} {
		if err := p.Bool(key, flag); err != nil {
			return nil, err
		}
	}
	for _, key := range []string{"schemas.cache.config", "schemas.cache.size"} {
		if err := p.Int(key, &o.cacheSize, 0); err != nil {
			return nil, err
		}
	}
	o.cacheSize = max(o.cacheSize, 1)
	if class := strings.TrimSpace(props["reference.subject.name.strategy"]); class != "" && !strings.HasSuffix(class, ".DefaultReferenceSubjectNameStrategy") {
		return nil, javaerr.Config("reference.subject.name.strategy %s is not supported; use DefaultReferenceSubjectNameStrategy", class)
	}
	return o, nil
}

// Names that both sides of the mapping use.
const (
	namespace   = "io.confluent.connect.protobuf"
	defaultName = "ConnectDefault"
	entrySuffix = "Entry"
	keyField    = "key"
	valueField  = "value"

	enumParam    = namespace + ".Enum"
	unionPrefix  = namespace + ".Union."
	tagParam     = namespace + ".Tag"
	typeParam    = namespace + ".Type"
	wrapperParam = namespace + ".Wrapper"

	// With generalized.sum.type.support, unions and enums are marked by these parameters of Kafka Connect.
	sumUnion = "org.apache.kafka.connect.data.Union"
	sumEnum  = "org.apache.kafka.connect.data.Enum"

	metaField      = 1088 // of confluent.field_meta
	metaParams     = 2    // of confluent.Meta
	metaType       = "connect.type"
	metaScale      = "scale"
	metaPrecision  = "precision"
	precisionParam = "connect.decimal.precision"

	decimalType   = "confluent.type.Decimal"
	dateType      = "google.type.Date"
	timeType      = "google.type.TimeOfDay"
	timestampType = "google.protobuf.Timestamp"

	metaFile      = "confluent/meta.proto"
	decimalFile   = "confluent/type/decimal.proto"
	dateFile      = "google/type/date.proto"
	timeFile      = "google/type/timeofday.proto"
	timestampFile = "google/protobuf/timestamp.proto"
	wrapperFile   = "google/protobuf/wrappers.proto"
)

// maxDepth bounds the nesting of messages (I-3).
const maxDepth = 200
