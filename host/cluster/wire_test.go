package cluster

import (
	"bufio"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorded are messages that Kafka Connect 4.1.0's own code wrote.
func recorded(t testing.TB) map[string]string {
	f, err := os.Open("testdata/group-protocol-bytes.txt")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	messages := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		i := strings.LastIndexByte(lines.Text(), ' ')
		messages[lines.Text()[:i]] = lines.Text()[i+1:]
	}
	require.NoError(t, lines.Err())
	return messages
}

func TestMessagesAreKafkaConnectsByteForByte(t *testing.T) {
	const url = "http://h:8083/"
	work := Assignment{
		Leader: "L1", LeaderURL: url, ConfigOffset: 5,
		Assigned: []Item{{"c", ConnectorTask}, {"c", 0}, {"c", 1}},
	}
	more := work
	more.Revoked, more.Delay = []Item{{"d", 2}}, 300*time.Millisecond
	with := func(a Assignment, version int16) *Assignment {
		a.Version = version
		return &a
	}
	messages := recorded(t)
	require.Len(t, messages, 8)
	for name, m := range map[string]Metadata{
		"meta v0":      {Version: 0, URL: url, ConfigOffset: 5},
		"meta v1 null": {Version: 1, URL: url, ConfigOffset: 5},
		"meta v2 null": {Version: 2, URL: url, ConfigOffset: 5},
		"meta v2 asg":  {Version: 2, URL: url, ConfigOffset: 5, Current: with(more, 2)},
	} {
		require.Equal(t, messages[name], hex.EncodeToString(EncodeMetadata(m)), name)
		b, err := hex.DecodeString(messages[name])
		require.NoError(t, err)
		again, err := DecodeMetadata(b)
		require.NoError(t, err)
		require.Equal(t, m, again, name)
	}
	for name, a := range map[string]*Assignment{
		"asg v0": with(work, 0), "asg v1": with(more, 1), "asg v2": with(more, 2),
		"asg v2 empty": {Version: 2, Leader: "L1", LeaderURL: url, ConfigOffset: 5},
	} {
		require.Equal(t, messages[name], hex.EncodeToString(EncodeAssignment(*a)), name)
		b, err := hex.DecodeString(messages[name])
		require.NoError(t, err)
		again, err := DecodeAssignment(b)
		require.NoError(t, err)
		require.Equal(t, *a, again, name)
	}
}

func TestOurPartOfTheMetadataComesBehindWhatOthersRead(t *testing.T) {
	m := Metadata{Version: 2, URL: "http://h:8083/", ConfigOffset: 5, Plugins: []string{"a", "b"}}
	b := EncodeMetadata(m)
	require.True(t, strings.HasPrefix(hex.EncodeToString(b), recorded(t)["meta v2 null"]))
	again, err := DecodeMetadata(b)
	require.NoError(t, err)
	require.Equal(t, m, again)
	none := Metadata{Version: 2, Plugins: []string{}}
	again, err = DecodeMetadata(EncodeMetadata(none))
	require.NoError(t, err)
	require.Equal(t, none, again, "no plugin at all is something else than not telling")
	future, err := DecodeMetadata(append(EncodeMetadata(Metadata{Version: 3, URL: "u"}), 1, 2, 3))
	require.NoError(t, err)
	require.Equal(t, "u", future.URL)
}

func TestAnyAssignmentComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfDistinct(rapid.Custom(func(t *rapid.T) Item {
			return Item{rapid.StringN(0, 5, 20).Draw(t, "connector"), rapid.IntRange(-1, 4).Draw(t, "task")}
		}), func(i Item) Item { return i })
		a := Assignment{
			Version: int16(rapid.IntRange(0, 2).Draw(t, "version")), Err: AssignmentError(rapid.IntRange(0, 1).Draw(t, "error")),
			Leader: rapid.StringN(0, 10, 40).Draw(t, "leader"), ConfigOffset: rapid.Int64().Draw(t, "offset"), Assigned: items.Draw(t, "assigned"),
		}
		if a.Version > 0 {
			a.Revoked = items.Draw(t, "revoked")
			a.Delay = time.Duration(rapid.IntRange(0, 1<<30).Draw(t, "delay")) * time.Millisecond
		}
		again, err := DecodeAssignment(EncodeAssignment(a))
		require.NoError(t, err)
		require.ElementsMatch(t, a.Assigned, again.Assigned)
		require.ElementsMatch(t, a.Revoked, again.Revoked)
		a.Assigned, a.Revoked, again.Assigned, again.Revoked = nil, nil, nil, nil
		require.Equal(t, a, again)
	})
}

func TestMessagesThatAreCutOffAreErrors(t *testing.T) {
	for name, text := range recorded(t) {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		for n := range b {
			if strings.HasPrefix(name, "meta") {
				_, err = DecodeMetadata(b[:n])
			} else {
				_, err = DecodeAssignment(b[:n])
			}
			require.Error(t, err, "%s cut to %d", name, n)
		}
	}
}

func FuzzMessagesFromAnywhere(f *testing.F) {
	for _, text := range recorded(f) {
		b, err := hex.DecodeString(text)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = DecodeMetadata(b)
		_, _ = DecodeAssignment(b)
	})
}
