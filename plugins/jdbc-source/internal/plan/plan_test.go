package plan

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type plain struct{}

func (plain) TimeExpr(c []string) string { return strings.Join(c, "|") }

func (plain) TimeHint(c []string, from, to time.Time) string {
	if len(c) < 2 {
		return ""
	}
	return "near(" + strings.Join(c, "|") + ", " + from.Format("15") + ", " + to.Format("15") + ")"
}

func (plain) TimeLiteral(t time.Time, _ bool) string { return "'" + t.Format("15:04:05.000000") + "'" }

func (plain) Quotient(c string, _ int64) string { return c + "/k" }

func TestTheNextQueryOfEachMode(t *testing.T) {
	at := time.Date(2024, 1, 1, 10, 0, 0, 0, time.UTC)
	end := at.Add(time.Hour)
	for _, c := range []struct {
		name string
		spec Spec
		pos  Position
		want string
	}{
		{"bulk", Spec{Mode: Bulk, From: "t"}, Position{}, "SELECT * FROM t"},
		{"bulk in pages", Spec{Mode: Bulk, From: "t", Inc: "k", PageRows: 5}, Position{HasInc: true, Inc: 7}, "SELECT * FROM t WHERE k > 7 ORDER BY k LIMIT 5"},
		{"bulk query", Spec{Mode: Bulk, Verbatim: "SELECT 1", Suffix: "FOR SHARE"}, Position{}, "SELECT 1 FOR SHARE"},
		{"incrementing, first", Spec{Mode: Incrementing, From: "t", Inc: "k"}, Position{}, "SELECT * FROM t ORDER BY k"},
		{"incrementing, below zero", Spec{Mode: Incrementing, From: "t", Inc: "k"}, Position{HasInc: true, Inc: -3}, "SELECT * FROM t WHERE k > -3 ORDER BY k"},
		{"a share", Spec{Mode: Incrementing, From: "t", Inc: "k", Split: Split{Index: 1, Count: 3, Keys: 10}}, Position{}, "SELECT * FROM t WHERE ((k/k) % 3 + 3) % 3 = 1 ORDER BY k"},
		{"timestamp, first", Spec{Mode: Timestamp, From: "t", Times: []string{"a", "b"}}, Position{}, "SELECT * FROM t WHERE a|b < '11:00:00.000000' AND a|b IS NOT NULL ORDER BY a|b"},
		{"timestamp is not paged", Spec{Mode: Timestamp, From: "t", Times: []string{"a"}, PageRows: 5}, Position{HasTime: true, Time: at}, "SELECT * FROM t WHERE a < '11:00:00.000000' AND a > '10:00:00.000000' ORDER BY a"},
		{
			"timestamp with a hint for an index",
			Spec{Mode: Timestamp, From: "t", Times: []string{"a", "b"}},
			Position{HasTime: true, Time: at},
			"SELECT * FROM t WHERE a|b < '11:00:00.000000' AND a|b > '10:00:00.000000' AND near(a|b, 10, 11) ORDER BY a|b",
		},
		{
			"both",
			Spec{Mode: TimestampIncrementing, From: "t", Times: []string{"a"}, Inc: "k", PageRows: 5},
			Position{HasTime: true, Time: at, HasInc: true, Inc: 7},
			"SELECT * FROM t WHERE a < '11:00:00.000000' AND a >= '10:00:00.000000' AND (a > '10:00:00.000000' OR k > 7) ORDER BY a, k LIMIT 5",
		},
	} {
		if got := Next(c.spec, c.pos, end, plain{}).SQL; got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestAnOffsetIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Position{HasInc: rapid.Bool().Draw(t, "hasInc"), HasTime: rapid.Bool().Draw(t, "hasTime")}
		offset := map[string]any{}
		if p.HasInc {
			p.Inc = rapid.Int64().Draw(t, "inc")
			offset[IncrementingKey] = p.Inc
		}
		if p.HasTime {
			p.Time = time.Unix(rapid.Int64Range(-1e11, 1e11).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC()
			offset[TimestampKey], offset[NanosKey] = TimeParts(p.Time)
		}
		got, err := FromOffset(offset)
		if err != nil || got != p {
			t.Fatalf("%v became %v: %v", p, got, err)
		}
		if p.Before(got) || got.Before(p) {
			t.Fatalf("%v is before itself", p)
		}
	})
}

func TestAnOffsetOfAnotherShapeIsRefused(t *testing.T) {
	for _, o := range []map[string]any{{IncrementingKey: "7"}, {TimestampKey: 1.5}, {TimestampKey: int64(1), NanosKey: int64(1e9)}} {
		if _, err := FromOffset(o); err == nil {
			t.Errorf("%v was taken", o)
		}
	}
}
