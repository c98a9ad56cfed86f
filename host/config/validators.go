package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// check is a Validator made of a function and a description.
type check struct {
	text string
	fn   func(name string, value any) error
}

func (c check) Validate(name string, value any) error { return c.fn(name, value) }
func (c check) String() string                        { return c.text }

// Check makes a Validator from a function.
func Check(text string, fn func(name string, value any) error) Validator { return check{text, fn} }

// AtLeast accepts numbers from low on.
func AtLeast(low int64) Validator { return between(low, nil) }

// Between accepts numbers from low to high.
func Between(low, high int64) Validator { return between(low, &high) }

func between(low int64, high *int64) Validator {
	text := fmt.Sprintf("[%d,...]", low)
	if high != nil {
		text = fmt.Sprintf("[%d,...,%d]", low, *high)
	}
	return Check(text, func(name string, value any) error {
		var n int64
		switch x := value.(type) {
		case nil:
			return Invalid(name, nil, "Value must be non-null")
		case int16:
			n = int64(x)
		case int32:
			n = int64(x)
		case int64:
			n = x
		}
		if n < low {
			return Invalid(name, value, fmt.Sprintf("Value must be at least %d", low))
		}
		if high != nil && n > *high {
			return Invalid(name, value, fmt.Sprintf("Value must be no more than %d", *high))
		}
		return nil
	})
}

// BetweenDouble accepts DOUBLE values from low to high.
func BetweenDouble(low, high float64) Validator {
	text := fmt.Sprintf("[%s,...,%s]", javaDouble(low), javaDouble(high))
	return Check(text, func(name string, value any) error {
		f, ok := value.(float64)
		switch {
		case !ok:
			return Invalid(name, nil, "Value must be non-null")
		case cmp.Less(f, low):
			return Invalid(name, value, "Value must be at least "+javaDouble(low))
		case f > high:
			return Invalid(name, value, "Value must be no more than "+javaDouble(high))
		}
		return nil
	})
}

// OneOf accepts exactly the given texts.
func OneOf(texts ...string) Validator {
	list := strings.Join(texts, ", ")
	return Check("["+list+"]", func(name string, value any) error {
		if s, ok := value.(string); ok && slices.Contains(texts, s) {
			return nil
		}
		return Invalid(name, value, "String must be one of: "+list)
	})
}

// OneOfFold accepts the given texts in any case.
func OneOfFold(texts ...string) Validator {
	list := strings.Join(texts, ", ")
	return Check("(case insensitive) ["+list+"]", func(name string, value any) error {
		if s, ok := value.(string); ok && slices.ContainsFunc(texts, func(t string) bool { return strings.EqualFold(t, s) }) {
			return nil
		}
		return Invalid(name, value, "String must be one of (case insensitive): "+list)
	})
}

// NonEmpty accepts null and every text but the empty one.
var NonEmpty = Check("non-empty string", func(name string, value any) error {
	if s, ok := value.(string); ok && s == "" {
		return Invalid(name, value, "String must be non-empty")
	}
	return nil
})

// NonEmptyList refuses an empty list.
var NonEmptyList = Check("non-empty list", func(name string, value any) error {
	if l, ok := value.([]string); !ok || len(l) == 0 {
		return Invalid(name, value, "Empty list")
	}
	return nil
})

// ValidRegex accepts null and valid Java regular expressions.
var ValidRegex = Check("valid regex", func(name string, value any) error {
	s, ok := value.(string)
	if !ok {
		return nil
	}
	if err := checkJavaRegex(s); err != nil {
		return Invalid(name, value, "Invalid regex: "+err.Error())
	}
	return nil
})

// ConnectorName accepts the names that a connector may have: not empty and without
// ISO control characters (U+0000..U+001F, U+007F..U+009F).
var ConnectorName = Check("non-empty string without ISO control characters", func(name string, value any) error {
	s, ok := value.(string)
	if !ok {
		return nil // a missing name is reported as missing, once
	}
	if s == "" {
		return Invalid(name, value, "String may not be empty")
	}
	var codes []string
	for _, unit := range utf16.Encode([]rune(s)) {
		if unit <= 0x1f || unit >= 0x7f && unit <= 0x9f {
			codes = append(codes, fmt.Sprint(unit))
		}
	}
	if len(codes) > 0 {
		return Invalid(name, value, "String may not contain control sequences but had the following ASCII chars: "+strings.Join(codes, ", "))
	}
	return nil
})

// CheckConnectorName returns what is wrong with a connector's name, or nil.
func CheckConnectorName(name string) error { return ConnectorName.Validate("name", javaTrim(name)) }

// uniqueAliases refuses a list that names something twice.
func uniqueAliases(what string) Validator {
	return Check("non-null string, unique "+what, func(name string, value any) error {
		aliases, ok := value.([]string)
		if !ok {
			return Invalid(name, value, "entry must be non null")
		}
		seen := make(map[string]bool, len(aliases))
		for _, a := range aliases {
			if seen[a] {
				return Invalid(name, value, "Duplicate alias provided.")
			}
			seen[a] = true
		}
		return nil
	})
}

// orBrokerDefault accepts positive counts and -1, which leaves the choice to the broker.
func orBrokerDefault(text, what string) Validator {
	return Check(text, func(name string, value any) error {
		var n int64
		switch x := value.(type) {
		case int16:
			n = int64(x)
		case int32:
			n = int64(x)
		default:
			return Invalid(name, value, what+" must be a positive number or -1 to use the broker's default")
		}
		if n > 0 || n == -1 {
			return nil
		}
		return Invalid(name, value, what+" must be positive, or -1 to use the broker's default")
	})
}

var (
	partitionCount = orBrokerDefault("Positive number, or -1 to use the broker's default", "Number of partitions")
	replication    = orBrokerDefault("Positive number not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default", "Replication factor")
)

// orNull accepts null and what v accepts.
func orNull(v Validator) Validator {
	return Check(v.String(), func(name string, value any) error {
		if value == nil {
			return nil
		}
		return v.Validate(name, value)
	})
}

// versionRange accepts null, "latest" and the version ranges of KIP-891.
var versionRange = Check("version, or range of versions", func(_ string, value any) error {
	s, ok := value.(string)
	if !ok {
		return nil
	}
	if _, err := ParseVersionRange(s); err != nil {
		return err // in Kafka's words, which name no key
	}
	return nil
})

// byteSize accepts null and sizes such as 1048576, 512Mi or 1G.
var byteSize = Check("size in bytes, such as 512Mi", func(name string, value any) error {
	s, ok := value.(string)
	if !ok {
		return nil
	}
	if _, err := ParseByteSize(s); err != nil {
		return Invalid(name, value, err.Error())
	}
	return nil
})

// listenerURLs accepts null and lists of http and https addresses.
var listenerURLs = Check("List of comma-separated URLs, ex: http://localhost:8080,https://localhost:8443.", func(name string, value any) error {
	urls, _ := value.([]string)
	for _, u := range urls {
		if _, err := ParseListener(u); err != nil {
			return Invalid(name, value, err.Error())
		}
	}
	return nil
})

// headerRules accepts the rules of response.http.headers.config.
var headerRules = Check("Comma-separated header rules, where each header rule is of the form '[action] [header name]:[header value]'", func(name string, value any) error {
	s, _ := value.(string)
	if _, err := ParseHeaderRules(s); err != nil {
		return Invalid(name, value, err.Error())
	}
	return nil
})

// macs are the message authentication algorithms that sign requests between workers.
var macs = []string{"HmacSHA1", "HmacSHA224", "HmacSHA256", "HmacSHA384", "HmacSHA512"}

var (
	macAlgorithm = Check("One of "+strings.Join(macs, ", "), func(name string, value any) error {
		if s, _ := value.(string); !slices.Contains(macs, s) {
			return Invalid(name, value, "the algorithm is not known; use one of "+strings.Join(macs, ", "))
		}
		return nil
	})
	macAlgorithms = Check("A list of one or more of "+strings.Join(macs, ", "), func(name string, value any) error {
		list, _ := value.([]string)
		if len(list) == 0 {
			return Invalid(name, value, "Value must be a non-empty list")
		}
		for _, s := range list {
			if err := macAlgorithm.Validate(name, s); err != nil {
				return err
			}
		}
		return nil
	})
)
