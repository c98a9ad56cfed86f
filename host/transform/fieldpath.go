package transform

import "strings"

// fieldPath are the names that lead to a field, outermost first. An empty text in
// V2 gives no names at all, with which Kafka Connect fails on every record.
type fieldPath []string

// parseFieldPath reads a path. In version V1 it is one name as it stands. In V2
// (KIP-821) dots separate names, and a name that begins with a backtick ends at
// the next backtick that a dot or the end follows, so that it may contain dots; a
// backslash before such a backtick makes it part of the name.
func parseFieldPath(path, version string) (fieldPath, error) {
	if !strings.EqualFold(version, "V2") {
		return fieldPath{path}, nil
	}
	var steps fieldPath
	rest := path
	for rest != "" {
		if !strings.HasPrefix(rest, "`") {
			step, after, more := strings.Cut(rest, ".")
			if steps = append(steps, step); !more {
				return steps, nil
			}
			if rest = after; rest == "" {
				return append(steps, ""), nil
			}
			continue
		}
		step, after, more, ok := quotedStep(rest[1:])
		if !ok {
			return nil, configError("Incomplete backtick pair in path: [%s], consider adding a backslash before backtick at position %d to escape it",
				path, len(path)-len(rest))
		}
		if steps = append(steps, step); !more {
			return steps, nil
		}
		if rest = after; rest == "" {
			return append(steps, ""), nil
		}
	}
	return steps, nil
}

// quotedStep reads a name up to its closing backtick; more tells that a dot followed.
func quotedStep(text string) (step, rest string, more, ok bool) {
	var name strings.Builder
	from := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '`' {
			continue
		}
		last := i == len(text)-1
		if !last && text[i+1] != '.' {
			continue
		}
		escaped := i > 0 && text[i-1] == '\\'
		if !escaped {
			name.WriteString(text[from:i])
			if last {
				return name.String(), "", false, true
			}
			return name.String(), text[i+2:], true, true
		}
		if last {
			return "", "", false, false
		}
		name.WriteString(text[from : i-1])
		name.WriteByte('`')
		from = i + 1
	}
	return "", "", false, false
}
