package expr

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// sortEntries puts texts in their order, and before them numbers in theirs.
func sortEntries(entries []data.MapEntry) {
	slices.SortFunc(entries, func(a, b data.MapEntry) int {
		s, sText := a.Key.(string)
		t, tText := b.Key.(string)
		if sText && tText {
			return cmp.Compare(s, t)
		}
		x, xNumber := a.Key.(int64)
		y, yNumber := b.Key.(int64)
		if xNumber && yNumber {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(fmt.Sprint(a.Key), fmt.Sprint(b.Key))
	})
}
