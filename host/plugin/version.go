package plugin

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// version is a semantic version with any number of numeric parts, as Maven and Go both have them.
type version struct {
	numbers    []int
	prerelease string
}

var versionText = regexp.MustCompile(`^v?(\d{1,9}(?:\.\d{1,9}){0,5})(?:[-.]([0-9A-Za-z][0-9A-Za-z.-]*))?(?:\+[0-9A-Za-z.-]+)?$`)

func parseVersion(text string) (version, error) {
	match := versionText.FindStringSubmatch(text)
	if match == nil {
		return version{}, fmt.Errorf("%q is not a version like 1.4.2", cut(text, 100))
	}
	v := version{prerelease: match[2]}
	for part := range strings.SplitSeq(match[1], ".") {
		number, err := strconv.Atoi(part)
		if err != nil {
			return version{}, err
		}
		v.numbers = append(v.numbers, number)
	}
	return v, nil
}

// compare orders versions; missing parts are zero, a pre-release comes before its release.
func (v version) compare(w version) int {
	for i := range max(len(v.numbers), len(w.numbers)) {
		if order := cmp.Compare(v.part(i), w.part(i)); order != 0 {
			return order
		}
	}
	switch {
	case v.prerelease == w.prerelease:
		return 0
	case v.prerelease == "":
		return 1
	case w.prerelease == "":
		return -1
	default:
		return slices.CompareFunc(strings.Split(v.prerelease, "."), strings.Split(w.prerelease, "."), comparePart)
	}
}

func comparePart(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	switch {
	case errX == nil && errY == nil:
		return cmp.Compare(x, y)
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	default:
		return cmp.Compare(a, b)
	}
}

func (v version) part(i int) int {
	if i < len(v.numbers) {
		return v.numbers[i]
	}
	return 0
}

// versionRange is what connector.plugin.version holds: Maven's ranges "[1.2]", "[1.0,2.0)", "(,1.0]", and several with
// commas between. A bare "1.2" is "[1.2]" (Kafka Connect 4.1, KIP-891), and no version is in it when it is none. "latest"
// and the empty text mean any, "[,]" means none.
type versionRange struct {
	intervals []interval
	none      bool
	text      string // in Maven's notation, for messages
}

type interval struct {
	low, high                 *version
	includesLow, includesHigh bool
}

// onlyVersion is the range of one version; of none when the text is not one.
func onlyVersion(text string) versionRange {
	only, err := parseVersion(text)
	return versionRange{
		text: "[" + text + "," + text + "]", none: err != nil || text[0] == 'v',
		intervals: []interval{{low: &only, high: &only, includesLow: true, includesHigh: true}},
	}
}

// parseRange reads a version range.
func parseRange(text string) (versionRange, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "" || text == "latest":
		return versionRange{}, nil
	case text == "[,]":
		return versionRange{none: true, text: text}, nil
	case !strings.ContainsAny(text, "[(,)]"):
		return onlyVersion(text), nil
	}
	r := versionRange{text: text}
	for rest := text; rest != ""; {
		end := strings.IndexAny(rest, ")]")
		if end < 0 || rest[0] != '[' && rest[0] != '(' {
			return versionRange{}, fmt.Errorf("%q is not a version range like [1.0,2.0)", cut(text, 100))
		}
		one, err := parseInterval(rest[:end+1])
		if err != nil {
			return versionRange{}, err
		}
		r.intervals = append(r.intervals, one)
		rest = strings.TrimLeft(rest[end+1:], ", ")
	}
	return r, nil
}

func parseInterval(text string) (interval, error) {
	one := interval{includesLow: text[0] == '[', includesHigh: text[len(text)-1] == ']'}
	low, high, isPair := strings.Cut(text[1:len(text)-1], ",")
	if !isPair {
		high = low
		if !one.includesLow || !one.includesHigh {
			return interval{}, fmt.Errorf("%q is not a version range: one version needs square brackets", text)
		}
	}
	for _, bound := range []struct {
		text string
		to   **version
	}{{low, &one.low}, {high, &one.high}} {
		if trimmed := strings.TrimSpace(bound.text); trimmed != "" {
			v, err := parseVersion(trimmed)
			if err != nil {
				return interval{}, err
			}
			*bound.to = &v
		}
	}
	return one, nil
}

func (r versionRange) contains(v version) bool {
	if r.none || len(r.intervals) == 0 {
		return !r.none
	}
	return slices.ContainsFunc(r.intervals, func(i interval) bool { return i.contains(v) })
}

func (i interval) contains(v version) bool {
	if i.low != nil {
		if order := v.compare(*i.low); order < 0 || order == 0 && !i.includesLow {
			return false
		}
	}
	if i.high != nil {
		if order := v.compare(*i.high); order > 0 || order == 0 && !i.includesHigh {
			return false
		}
	}
	return true
}
