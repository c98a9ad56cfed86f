package rest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every row of the table in docs/security.md names tests that exist, and every
// test of the security of the API stands in the table.
func TestTheSecurityTableAndItsTestsAgree(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(text), "## Table")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "## Not covered")
	name := regexp.MustCompile("`(Test\\w+)`")
	cited := map[string]bool{}
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || strings.HasPrefix(line, "|---") || strings.Contains(line, "| what happens |") {
			continue
		}
		rows++
		found := name.FindAllStringSubmatch(cells[3], -1)
		require.NotEmpty(t, found, "a row without a test: %s", line)
		for _, f := range found {
			cited[f[1]] = true
		}
	}
	require.Greater(t, rows, 30)
	exist := tests(t, "..", "../../test")
	for test := range cited {
		require.NotEmpty(t, exist[test], "docs/security.md names %s, which does not exist", test)
	}
	for test, file := range exist {
		if strings.HasPrefix(filepath.Base(file), "security_") && strings.Contains(file, "/rest/") {
			require.True(t, cited[test], "%s is in %s, and docs/security.md does not name it", test, file)
		}
	}
}

// tests finds the test functions below some folders, with their files.
func tests(t *testing.T, folders ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, folder := range folders {
		require.NoError(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			abs, err := filepath.Abs(path)
			require.NoError(t, err)
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
					out[f.Name.Name] = abs
				}
			}
			return nil
		}))
	}
	return out
}
