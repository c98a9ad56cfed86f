package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's tables are promises; each is held to a test of that name.
func TestTheTablesOfTheManualAreTested(t *testing.T) {
	raw, err := os.ReadFile("README.md")
	require.NoError(t, err)
	manual := string(raw)

	t.Run("types", func(t *testing.T) {
		for head, cases := range map[string][]typeCase{
			"| PostgreSQL | Connect |": postgresTypes(), "| MySQL, MariaDB | Connect |": mariadbTypes(), "| SQLite (declared type) | Connect |": sqliteTypes(),
		} {
			tested := map[string]bool{}
			for _, c := range cases {
				tested[typeName(c.column)] = true
			}
			promised := map[string]bool{}
			for _, row := range tableAfter(t, manual, head) {
				names := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[0], -1)
				require.NotEmpty(t, names, "row %q names no type", row[0])
				for _, n := range names {
					promised[typeName(n[1])] = true
				}
			}
			require.Equal(t, promised, tested, head)
		}
	})
	t.Run("faults", func(t *testing.T) {
		tests := testNames(t, ".", "internal/dialect", "../../test/jdbc")
		for _, row := range tableAfter(t, manual, "| what happens | what it does | test |") {
			require.Regexp(t, "^(`Test[A-Za-z]+`(, )?)+$", row[2], row[0])
		}
		for _, name := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(manual, -1) {
			require.True(t, tests[name[1]], "there is no %s", name[1])
		}
	})
	t.Run("keys", func(t *testing.T) {
		for _, k := range definition().Keys() {
			if !k.Internal {
				require.Contains(t, manual, "`"+k.Name+"`", "the manual does not tell of a key")
			}
		}
	})
}

// typeName brings a column of a case and a type of the manual into one form: without length, but with what makes another type.
func typeName(column string) string {
	for ours, kind := range map[string]string{"pair": "composite", "positive": "domain", "mood": "enum", `"char"`: "char", "": "none"} {
		if column == ours {
			return kind
		}
	}
	column = regexp.MustCompile(`\(\d+, ?-?\d+\)`).ReplaceAllString(column, "(p,s)")
	column = regexp.MustCompile(`\((\d+|'.*')\)`).ReplaceAllString(column, "")
	return strings.TrimSuffix(column, " NULL")
}

// tableAfter gives the cells of the rows below a table's head.
func tableAfter(t *testing.T, page, head string) (rows [][]string) {
	t.Helper()
	_, rest, found := strings.Cut(page, head+"\n")
	require.True(t, found, "no table %s", head)
	for i, line := range strings.Split(rest, "\n") {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if i == 0 {
			continue // the rule
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		rows = append(rows, cells)
	}
	require.NotEmpty(t, rows, head)
	return rows
}

// testNames are the tests of packages.
func testNames(t *testing.T, folders ...string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
				names[m[1]] = true
			}
		}
	}
	return names
}
