package config

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// VersionRange is a set of plugin versions in the notation of KIP-891: "latest",
// a bare version, which must match exactly, or Maven ranges such as [1.0,2.0) or
// (,1.5],[2.0,). The zero value contains every version, "[,]" none, as in Kafka Connect.
type VersionRange struct{ parts []versionInterval }

type versionInterval struct {
	low, high         string // "" is unbounded
	lowOpen, highOpen bool
}

// ParseVersionRange reads a range. "" and "latest" mean any version.
func ParseVersionRange(text string) (VersionRange, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "latest" {
		return VersionRange{}, nil
	}
	if !strings.ContainsAny(text, "[](),") {
		return VersionRange{[]versionInterval{{low: text, high: text}}}, nil
	}
	var r VersionRange
	for rest := text; rest != ""; {
		end := strings.IndexAny(rest, "])")
		if (rest[0] != '[' && rest[0] != '(') || end < 0 {
			return VersionRange{}, kafkaError(fmt.Sprintf("Unbounded range: %s", text))
		}
		part := versionInterval{lowOpen: rest[0] == '(', highOpen: rest[end] == ')'}
		low, high, two := strings.Cut(rest[1:end], ",")
		part.low, part.high = strings.TrimSpace(low), strings.TrimSpace(high)
		switch {
		case !two && (part.lowOpen || part.highOpen || part.low == ""):
			return VersionRange{}, kafkaError(fmt.Sprintf("Single version must be surrounded by []: %s", text))
		case !two:
			part.high = part.low
		case strings.ContainsAny(part.low+part.high, "[](,"):
			return VersionRange{}, kafkaError(fmt.Sprintf("Unbounded range: %s", text))
		case part.low != "" && part.high != "" && CompareVersions(part.low, part.high) > 0:
			return VersionRange{}, kafkaError(fmt.Sprintf("Range defies version ordering: %s", text))
		}
		r.parts = append(r.parts, part)
		rest = strings.TrimLeft(rest[end+1:], ", ")
	}
	return r, nil
}

// Contains reports whether the version lies in the range.
func (r VersionRange) Contains(version string) bool {
	if len(r.parts) == 0 {
		return true
	}
	for _, p := range r.parts {
		if p == (versionInterval{}) {
			continue
		}
		low, high := 1, -1
		if p.low != "" {
			low = CompareVersions(version, p.low)
		}
		if p.high != "" {
			high = CompareVersions(version, p.high)
		}
		if (low > 0 || low == 0 && !p.lowOpen) && (high < 0 || high == 0 && !p.highOpen) {
			return true
		}
	}
	return false
}

// String returns the range in Maven's notation; a bare version becomes [v,v].
func (r VersionRange) String() string {
	var b strings.Builder
	for i, p := range r.parts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte(bracket(p.lowOpen, '(', '['))
		b.WriteString(p.low + "," + p.high)
		b.WriteByte(bracket(p.highOpen, ')', ']'))
	}
	return b.String()
}

func bracket(open bool, yes, no byte) byte {
	if open {
		return yes
	}
	return no
}

// VersionSetting is the text of a version setting for [ParseVersionRange]. Kafka
// Connect reads one that is there, but blank, as "[,]", which contains no version.
func VersionSetting(props map[string]string, key string) string {
	if text, set := props[key]; !set || javaTrim(text) != "" {
		return text
	}
	return "[,]"
}

// CompareVersions orders versions as Maven does for the usual forms: numbers by
// value, missing parts as 0, and a version with a qualifier (-SNAPSHOT, -rc1)
// before the one without.
func CompareVersions(a, b string) int {
	an, aq, _ := strings.Cut(a, "-")
	bn, bq, _ := strings.Cut(b, "-")
	as, bs := strings.Split(an, "."), strings.Split(bn, ".")
	for i := range max(len(as), len(bs)) {
		if c := compareVersionParts(partAt(as, i), partAt(bs, i)); c != 0 {
			return c
		}
	}
	switch {
	case aq == bq:
		return 0
	case aq == "":
		return 1
	case bq == "":
		return -1
	}
	return strings.Compare(strings.ToLower(aq), strings.ToLower(bq))
}

func partAt(parts []string, i int) string {
	if i < len(parts) && parts[i] != "" {
		return parts[i]
	}
	return "0"
}

func compareVersionParts(a, b string) int {
	x, errA := strconv.ParseUint(a, 10, 64)
	y, errB := strconv.ParseUint(b, 10, 64)
	if errA == nil && errB == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}
