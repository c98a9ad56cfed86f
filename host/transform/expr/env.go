package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"
)

// Type is the type of a name, or what an expression gives.
type Type int

// The types. Any is for what only the record tells.
const (
	Any Type = iota
	Bool
	Int
	String
	Timestamp
	// Map is a map with strings as keys.
	Map
)

var celTypes = [...]*cel.Type{
	Any: cel.DynType, Bool: cel.BoolType, Int: cel.IntType, String: cel.StringType, Timestamp: cel.TimestampType,
	Map: cel.MapType(cel.StringType, cel.DynType),
}

func (t Type) String() string { return celTypes[t].String() }

// MaxTextBytes bounds the text of an expression.
const MaxTextBytes = 64 << 10

// DefaultCostLimit is what one evaluation may cost, in CEL's units: about one per step.
// It is some milliseconds of one processor.
const DefaultCostLimit = 100_000

// Env is what expressions may use. Any goroutine may use it.
type Env struct {
	env   *cel.Env
	names []string
}

// NewEnv declares names with their types.
func NewEnv(names map[string]Type) (*Env, error) {
	options := []cel.EnvOption{
		ext.Strings(), ext.Encoders(), ext.Math(), ext.Lists(), ext.Sets(),
		cel.OptionalTypes(), cel.DefaultUTCTimeZone(true), cel.CrossTypeNumericComparisons(true),
		cel.Function("json", cel.Overload("json_string", []*cel.Type{cel.StringType}, cel.DynType, cel.UnaryBinding(readJSON))),
		cel.Function("json", cel.Overload("json_bytes", []*cel.Type{cel.BytesType}, cel.DynType, cel.UnaryBinding(readJSON))),
	}
	e := &Env{}
	for name, t := range names {
		options = append(options, cel.Variable(name, celTypes[t]))
		e.names = append(e.names, name)
	}
	slices.Sort(e.names)
	var err error
	if e.env, err = cel.NewCustomEnv(append([]cel.EnvOption{cel.StdLib(), cel.CustomTypeAdapter(adapter{})}, options...)...); err != nil {
		return nil, fmt.Errorf("set up the expression language: %w", err)
	}
	return e, nil
}

// Compile checks an expression. The error says where it is wrong, and which names there are.
func (e *Env) Compile(text string, want Type, costLimit uint64) (*Program, error) {
	if len(text) > MaxTextBytes {
		return nil, fmt.Errorf("the expression has %d bytes; %d are allowed", len(text), MaxTextBytes)
	}
	ast, issues := e.env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, &SyntaxError{Text: text, Reason: reason(err), Names: e.names}
	}
	if got := ast.OutputType(); !fits(want, got) {
		return nil, &SyntaxError{Text: text, Reason: fmt.Sprintf("it gives a %s, and a %s is needed", got, celTypes[want])}
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if cost, err := e.env.EstimateCost(ast, nominalSizes{}); err != nil || cost.Max > costLimit {
		options = append(options, cel.CostLimit(costLimit))
	}
	program, err := e.env.Program(ast, options...)
	if err != nil {
		return nil, &SyntaxError{Text: text, Reason: err.Error()}
	}
	return &Program{text: text, program: program, want: want, limit: costLimit}, nil
}

func fits(want Type, got *cel.Type) bool {
	switch {
	case want == Any || got.IsExactType(cel.DynType) || got.IsExactType(celTypes[want]):
		return true
	case want == Map:
		return got.Kind() == types.MapKind && (got.Parameters()[0].IsExactType(cel.StringType) || got.Parameters()[0].Kind() == types.DynKind || got.Parameters()[0].Kind() == types.TypeParamKind)
	}
	return false
}

// nominalSizes lets the estimate take a text or list of a record to have 10,000
// characters or items. What stays below the limit with these grows at most with the size of
// a record, which is bounded, and is not counted: counting takes two to three times as
// long (BenchmarkChain in host/transform). Loops are counted.
type nominalSizes struct{}

const nominalSize = 10_000

func (nominalSizes) EstimateSize(checker.AstNode) *checker.SizeEstimate {
	return &checker.SizeEstimate{Min: 0, Max: nominalSize}
}

func (nominalSizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// SyntaxError is an expression that cannot be compiled.
type SyntaxError struct {
	Text, Reason string
	Names        []string // that there are, where one may have been meant
}

func (e *SyntaxError) Error() string {
	text := fmt.Sprintf("the expression %q cannot be used: %s", clip(e.Text), e.Reason)
	if strings.Contains(e.Reason, "undeclared reference") {
		text += "; the names are " + strings.Join(e.Names, ", ")
	}
	return text
}

func clip(text string) string {
	const limit = 200
	if len(text) > limit {
		return text[:limit] + "…"
	}
	return text
}

// reason is CEL's message on one line, without its drawing of the place.
func reason(err error) string {
	var kept []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "|") {
			continue
		}
		line = strings.TrimPrefix(line, "ERROR: <input>:")
		kept = append(kept, "at "+line)
	}
	return strings.ReplaceAll(strings.Join(kept, "; "), " (in container '')", "")
}

// Vars gives the values of names: nil, bool, int64, float64, string, []byte,
// time.Time, []any, data.Decimal, *data.Map, *data.Struct, or an [Object].
type Vars interface {
	Var(name string) (any, error)
}

// Object is a map or struct whose fields are read one by one.
type Object interface {
	// Field gives a field; ok is false when there is none of that name.
	Field(name string) (value any, ok bool, err error)
	// Whole gives all of it, a *data.Map or *data.Struct.
	Whole() (any, error)
}

// Program is a compiled expression. One goroutine uses it at a time.
type Program struct {
	text    string
	program cel.Program
	want    Type
	limit   uint64
	vars    activation
}

// Text is the expression.
func (p *Program) Text() string { return p.text }

// Eval gives what the expression gives for the variables: a value as Vars gives
// them, of the wanted type. What comes out of an Object unchanged is what its Whole gives.
func (p *Program) Eval(vars Vars) (any, error) {
	p.vars.vars = vars
	out, _, err := p.program.Eval(&p.vars)
	p.vars.vars = nil
	if err != nil {
		return nil, p.failed(err.Error())
	}
	v, err := native(out)
	if err != nil {
		return nil, p.failed(err.Error())
	}
	if !p.right(v) {
		return nil, p.failed(fmt.Sprintf("it gives a %s here, and a %s is needed", out.Type().TypeName(), celTypes[p.want]))
	}
	return v, nil
}

func (p *Program) failed(reason string) error {
	if strings.Contains(reason, "actual cost limit exceeded") {
		reason = fmt.Sprintf("it costs more than the limit of %d", p.limit)
	}
	return fmt.Errorf("the expression %q failed: %s", clip(p.text), reason)
}

// activation gives CEL the variables.
type activation struct{ vars Vars }

func (a *activation) ResolveName(name string) (any, bool) {
	v, err := a.vars.Var(name)
	if err != nil {
		return types.WrapErr(err), true
	}
	return toCEL(v), true
}

func (a *activation) Parent() cel.Activation { return nil }

var _ ref.Val = (*object)(nil)
