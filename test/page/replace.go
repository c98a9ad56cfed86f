package page

import (
	"bytes"
	"fmt"
	"os"
	"slices"
)

// Replace puts text between the marks of this name in a file, in the place of what stands there. A file without the
// marks stays as it is, and is an error.
func Replace(file, name, text string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := []byte("<!-- "+name+" -->\n"), []byte("<!-- /"+name+" -->")
	head, rest, begun := bytes.Cut(raw, begin)
	_, tail, ended := bytes.Cut(rest, end)
	if !begun || !ended {
		return fmt.Errorf("%s has no %s marks", file, name)
	}
	return os.WriteFile(file, slices.Concat(head, begin, []byte(text), end, tail), 0o644) //nolint:gosec // a page of the repository
}
