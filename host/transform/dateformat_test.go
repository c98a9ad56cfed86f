package transform

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tailrace/tailrace/host/convert"
)

// recordedNow is when testdata/dates.txt was recorded.
var recordedNow = time.Date(2026, 11, 21, 4, 54, 0, 0, time.UTC)

// TestDateFormats compares with what java.text.SimpleDateFormat did.
func TestDateFormats(t *testing.T) {
	raw, err := os.ReadFile("testdata/dates.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, "|")
		kind, pattern, in, want := parts[0], parts[1], parts[2], parts[3]
		got := ""
		f, err := compileDateFormat(pattern)
		if err == nil && kind == "F" {
			millis, _ := strconv.ParseInt(in, 10, 64)
			got = f.format(millis)
			from, to := f.span(millis)
			if millis < from || millis >= to || f.format(from) != got || f.format(to-1) != got {
				t.Errorf("%s: the text is not the same from %d to %d", line, from, to)
			}
		} else if err == nil {
			var millis int64
			if millis, err = f.parse(in, recordedNow); err == nil {
				got = strconv.FormatInt(millis, 10)
			}
		}
		var java *convert.Error
		if errors.As(err, &java) {
			got = "!" + java.Class + ": " + java.Message
		}
		if got != want {
			t.Errorf("%s: got %s", line, got)
		}
	}
}
