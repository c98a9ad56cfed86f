package wire

import "fmt"

// column collects one value per record. While all are equal it holds one; the
// array is only filled from the first difference on.
type column[T comparable] struct {
	n      int
	first  T
	values []T
	mixed  bool
}

func (c *column[T]) push(v T) {
	if c.mixed {
		c.values = append(c.values, v)
		c.n++
		return
	}
	if c.n == 0 {
		c.first = v
	} else if v != c.first {
		c.mixed = true
		c.values = c.values[:0]
		for range c.n {
			c.values = append(c.values, c.first)
		}
		c.values = append(c.values, v)
	}
	c.n++
}

// cut drops all but the first n values.
func (c *column[T]) cut(n int) {
	if c.n <= n {
		return
	}
	c.n = n
	if c.mixed {
		c.values = c.values[:n]
	}
}

// wire is the column as the protocol has it: nothing when every record has
// the default, one element when all have the same, else all.
func (c *column[T]) wire(def T) []T {
	switch {
	case c.mixed:
		return c.values
	case c.n == 0 || c.first == def:
		return nil
	}
	c.values = append(c.values[:0], c.first)
	return c.values
}

// reset empties the column and keeps its array for the next batch.
func (c *column[T]) reset() {
	var zero T
	c.n, c.mixed, c.first = 0, false, zero
}

// at reads a column at record i.
func at[T any](col []T, i int, def T) T {
	switch len(col) {
	case 0:
		return def
	case 1:
		return col[0]
	}
	return col[i]
}

// checkColumn holds a received column against the number of records.
func checkColumn[T any](name string, col []T, count int) error {
	if n := len(col); n > 1 && n != count {
		return fmt.Errorf("column %s has %d elements for %d records: want none, one or %d", name, n, count, count)
	}
	return nil
}

// checkIDs wants every id of a column to be below limit.
func checkIDs(name string, col []uint32, limit int) error {
	for _, id := range col {
		if int(id) >= limit {
			return fmt.Errorf("column %s names id %d, which was never defined on this stream", name, id)
		}
	}
	return nil
}

// sumColumn adds up a length column over count records.
func sumColumn(col []uint32, count int) int64 {
	switch len(col) {
	case 0:
		return 0
	case 1:
		return int64(col[0]) * int64(count)
	}
	var sum int64
	for _, n := range col {
		sum += int64(n)
	}
	return sum
}
