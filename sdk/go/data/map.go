package data

// Map is the value of a MAP: entries in the order in which their keys were first put. Keys may be any value of the
// model, including null, bytes and structs. The zero Map is empty and ready. It is not safe for concurrent use.
type Map struct {
	entries []MapEntry
	// index finds an entry by the identity of its key. It is nil while the map is small, where a scan is faster.
	index map[string]int
}

// MapEntry is one entry of a Map.
type MapEntry struct{ Key, Value any }

// indexFrom is the size from which a map keeps an index.
const indexFrom = 16

// NewMapValue makes a map with the entries in order; a key given twice keeps its first place and its last value.
func NewMapValue(entries ...MapEntry) *Map {
	m := &Map{entries: make([]MapEntry, 0, len(entries))}
	for _, e := range entries {
		m.Put(e.Key, e.Value)
	}
	return m
}

// Len is the number of entries.
func (m *Map) Len() int {
	if m == nil {
		return 0
	}
	return len(m.entries)
}

// Entries are the entries in order. The slice is shared: values may be replaced in place, keys may not.
func (m *Map) Entries() []MapEntry {
	if m == nil {
		return nil
	}
	return m.entries
}

// Get is the value of a key and whether the key is there. Keys are compared by [Equal].
func (m *Map) Get(key any) (any, bool) {
	if i := m.find(key); i >= 0 {
		return m.entries[i].Value, true
	}
	return nil, false
}

// Put sets the value of a key: in place if the key is there, else at the end.
func (m *Map) Put(key, value any) {
	if i := m.find(key); i >= 0 {
		m.entries[i].Value = value
		return
	}
	m.entries = append(m.entries, MapEntry{key, value})
	n := len(m.entries)
	switch {
	case m.index != nil:
		m.index[identity(key)] = n - 1
	case n == indexFrom:
		m.reindex()
	}
}

// Delete removes a key and reports whether it was there. The order of the others stays. It takes time in proportion to
// the size of the map.
func (m *Map) Delete(key any) bool {
	i := m.find(key)
	if i < 0 {
		return false
	}
	m.entries = append(m.entries[:i], m.entries[i+1:]...)
	if m.index != nil {
		m.reindex()
	}
	return true
}

func (m *Map) reindex() {
	m.index = make(map[string]int, 2*len(m.entries))
	for i := range m.entries {
		m.index[identity(m.entries[i].Key)] = i
	}
}

func (m *Map) find(key any) int {
	if m == nil {
		return -1
	}
	if m.index != nil {
		if i, ok := m.index[identity(key)]; ok {
			return i
		}
		return -1
	}
	if text, ok := key.(string); ok { // the usual case, without the general comparison
		for i := range m.entries {
			if k, ok := m.entries[i].Key.(string); ok && k == text {
				return i
			}
		}
		return -1
	}
	for i := range m.entries {
		if Equal(m.entries[i].Key, key) {
			return i
		}
	}
	return -1
}

// allStringKeys reports whether the map can be an Avro map without a schema.
func (m *Map) allStringKeys() bool {
	for i := range m.entries {
		if _, ok := m.entries[i].Key.(string); !ok {
			return false
		}
	}
	return true
}

// String is a text for people, Java's: {key=value, key=value}. See [AppendJavaText].
func (m *Map) String() string { return string(AppendJavaText(nil, m)) }
